"""A build for a device that runs TFLite: this machine, and a 32-bit Raspberry Pi under emulation."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgekit.builds.build import build
from edgekit.builds.result import TargetBuild
from edgekit.errors import EmulatorError, StepError
from edgekit.gates.gates import Status
from edgekit.host import DECISIVE_ISA, this_host
from edgekit.progress import Silent
from edgekit.project.project import load_project
from edgekit.runners.emulator import prepare
from edgekit.runtimes.tflite import TfliteSession
from edgekit.target import Runtime, Target
from edgekit.target_files import find_target
from edgekit.tflite.reading import read_tflite
from edgekit.traits import Fidelity
from tests.conftest import TINY
from tests.tflite.models import RUNTIMES, needs_runtime

pytestmark = needs_runtime


def here() -> Target:
    """This machine as a target that runs ai-edge-litert."""
    board, host = find_target("rpi4"), this_host()
    runtime = Runtime(name="ai-edge-litert", version="2.3.0")
    return board.copy_with(id="here", arch=host.arch, isa=host.isa & DECISIVE_ISA, cpuinfo=None, runtime=runtime)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> TargetBuild:
    folder = tmp_path_factory.mktemp("tflite") / "tiny"
    shutil.copytree(TINY, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (made,) = build(load_project(folder), [here()], Silent()).targets
    return made


def test_the_bundle_holds_a_tflite_file_that_was_run_and_judged(built: TargetBuild) -> None:
    assert [run.name for run in built.steps if run.role == "student"][-2:] == ["quantize", "tflite"]
    gates = {gate.name: gate for gate in built.verdict.gates}
    assert gates["parity"].status is Status.PASSED
    gate = gates["never-slower"]
    assert gate.status is Status.NOT_RUN and "float model is an ONNX file" in gate.detail
    latency = next(each for each in built.verdict.measurements if each.name == "latency_p50")
    assert latency.fidelity is Fidelity.NATIVE
    assert {"model.tflite", "model.c", "model.h", "manifest.json"} <= {each.name for each in built.bundle.iterdir()}
    assert "TFLite" in (built.bundle / "model.h").read_text()


def test_the_manifest_tells_the_files_own_axes_and_the_golden_pair_lies_so(built: TargetBuild) -> None:
    data = json.loads((built.bundle / "manifest.json").read_text())
    assert (data["model"]["file"], data["model"]["format"]) == ("model.tflite", "tflite")
    (given,), (made,) = data["model"]["inputs"], data["model"]["outputs"]
    assert given["shape"] == [1, 8, 8, 1] and given["onnx_axes"] == [0, 2, 3, 1]
    assert given["integer_type"] == made["integer_type"] == "int8"
    assert {"ai-edge-litert"} <= data["tools"].keys()
    pair = {kind: data["golden"][f"{kind}s"][0] for kind in ("input", "output")}
    x, y = (np.fromfile(built.bundle / each["file"], each["dtype"]).reshape(each["shape"]) for each in pair.values())
    running = TfliteSession(built.bundle / "model.tflite", here().runtime).running
    (found,) = running.run(None, {running.inputs[0]: x})
    assert np.array_equal(found, y)


def test_what_writes_tflite_is_asked_for_before_anything_is_trained(
    make_project: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    project = load_project(make_project())
    with pytest.raises(StepError, match="ai-edge-litert"):
        build(project, [find_target("rpi-armv7l")], Silent())
    assert not project.cache_folder.exists()


@pytest.mark.skipif("tflite_runtime" not in RUNTIMES, reason="tflite-runtime is not installed")
def test_on_a_32_bit_raspberry_pi_it_gives_what_it_gives_here(make_project: Callable[..., Path]) -> None:
    board = find_target("rpi-armv7l")
    try:
        prepare(board, Silent())
    except EmulatorError as error:
        pytest.skip(f"the emulator for {board.id} cannot be set up here: {error.message}")
    (made,) = build(load_project(make_project()), [board], Silent()).targets
    gates = {gate.name: gate for gate in made.verdict.gates}
    assert gates["parity"].status is Status.PASSED, gates["parity"].detail
    assert "emulated against here" in gates["parity"].detail
    assert gates["memory"].status is Status.PASSED
    metrics = {each.fidelity: each.value for each in made.verdict.measurements if each.name == "metric"}
    assert metrics[Fidelity.EMULATED] == pytest.approx(made.value, abs=2)
    assert read_tflite(made.bundle / "model.tflite").is_integer
