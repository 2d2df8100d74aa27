"""Builds for another runtime than the target's own, and for the fastest."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.builds.build import build
from edgekit.builds.builder import Builder
from edgekit.builds.evidence import EvaluatedModel, EvaluatedModels
from edgekit.builds.result import Build
from edgekit.builds.variants import RuntimeVariant
from edgekit.call_options import BuildOptions
from edgekit.data.splits import Splits
from edgekit.gates.gates import Gate, Status
from edgekit.gates.speed import NEVER_SLOWER
from edgekit.gates.verdict import Verdict
from edgekit.host import this_host
from edgekit.model.operators import INTEGER_OPERATORS
from edgekit.model.reading import load_model
from edgekit.progress import Silent
from edgekit.project.project import Project, load_project
from edgekit.report.builds import build_json, build_report
from edgekit.runners.emulator import prepare
from edgekit.target import Budgets, Target
from edgekit.target_files import find_target
from tests.report.rendered import rendered
from tests.tflite.models import needs_runtime

RPI4 = find_target("rpi4")


@pytest.fixture
def here() -> Target:
    """The target that this machine is."""
    for name in ("x86-vnni", "x86-avx2", "arm64-generic"):
        if find_target(name).is_this(this_host()):
            return find_target(name)
    pytest.skip("this machine is no target that is known")


@pytest.mark.parametrize(
    ("metric", "float_metric", "speed", "failed"),
    [
        (98.0, 98.5, Status.PASSED, []),
        (97.0, 98.5, Status.PASSED, ["drop"]),
        (97.0, 97.5, Status.PASSED, []),
        (97.0, 97.5, Status.FAILED, [NEVER_SLOWER]),
        (98.0, 98.5, Status.FAILED, [NEVER_SLOWER]),
    ],
    ids=["good", "INT8 loses", "the float model loses as well", "and INT8 is slower", "INT8 is slower"],
)
def test_a_recipe_is_rejected_for_what_its_fallback_may_mend(
    tiny: Project,
    built: Build,
    monkeypatch: pytest.MonkeyPatch,
    metric: float,
    float_metric: float,
    speed: Status,
    failed: list[str],
) -> None:
    project = tiny.copy_with(budgets=Budgets(max_drop=1.0))
    builder = Builder(project, Splits(project), Silent())
    bundle = built.targets[0].bundle
    other = shutil.copy(bundle / "model.onnx", tiny.root / "float.onnx")
    floating = EvaluatedModel("float student", other, float_metric)
    models = EvaluatedModels(
        EvaluatedModel("deployed", bundle / "model.onnx", metric), floating, replace(floating, metric=99.0)
    )
    gates = (Gate("drop", Status.PASSED, ""), Gate(NEVER_SLOWER, speed, ""))
    monkeypatch.setattr(builder, "_verdict", lambda *_: Verdict(gates, ()))
    variant = RuntimeVariant(RPI4, (), (), None)
    assert [gate.name for gate in builder._refusals(variant, models)] == failed
    assert not builder._refusals(variant, replace(models, deployed=floating)), "there is nothing after the float model"


@needs_runtime
def test_a_device_may_carry_another_of_its_targets_runtimes(folder: Path) -> None:
    (done,) = build(load_project(folder), [RPI4], Silent(), BuildOptions(runtime="ai-edge-litert")).targets
    assert (done.bundle / "model.tflite").is_file() and not (done.bundle / "model.onnx").exists()
    gates = {gate.name: gate.status for gate in done.verdict.gates}
    assert gates["parity"] is Status.PASSED and done.runtimes == ()
    data = json.loads((done.bundle / "manifest.json").read_text())
    assert data["target"]["runtime"]["name"] == "ai-edge-litert"


@needs_runtime
def test_where_nothing_is_timed_the_fastest_is_found_by_prediction(folder: Path) -> None:
    for runtime in RPI4.runtimes:
        prepare(RPI4.on(runtime), Silent())
    whole = build(load_project(folder), [RPI4], Silent(), BuildOptions(runtime="best"))
    (done,) = whole.targets
    first, *others = done.runtimes
    assert first.runtime == done.target.runtime and first.taken and not any(each.taken for each in others)
    assert "not measured on this device" in first.why
    if shutil.which("cc"):
        items = [one.measurements[0] for one in done.runtimes]
        assert [one.name for one in items] == ["latency_predicted"] * len(RPI4.runtimes)
        assert [one.value for one in items] == sorted(one.value for one in items)
    assert {each.runtime for each in done.runtimes} == set(RPI4.runtimes)
    items = json.loads((done.bundle / "manifest.json").read_text())
    assert [each["runtime"] for each in items["runtimes"]] == [str(each.runtime) for each in done.runtimes]
    (target,) = json.loads(build_json(whole))["targets"]
    assert target["runtime"] == str(first.runtime)
    assert target["model"].endswith(f"model.{first.runtime.format}")
    report = rendered(*build_report(whole))
    assert "deployed" in report and f"runtime on the device: {first.runtime}" in report


@pytest.mark.slow
def test_on_the_target_itself_the_fastest_is_measured(folder: Path, here: Target) -> None:
    (done,) = build(load_project(folder), [here], Silent(), BuildOptions(runtime="best")).targets
    first, *others = done.runtimes
    assert first.taken and first.runtime == done.target.runtime
    assert {each.runtime for each in done.runtimes} == set(here.runtimes)
    timed = [each for each in done.runtimes if each.measurements]
    assert here.runtime in {each.runtime for each in timed} or others
    for each in done.runtimes:
        assert each.measurements or "not installed" in each.why or ":" in each.why


def test_openvino_takes_conversions(folder: Path, here: Target) -> None:
    pytest.importorskip("openvino")
    if here.arch != "x86_64":
        pytest.skip("OpenVINO is named by x86's targets alone")
    (done,) = build(load_project(folder), [here], Silent(), BuildOptions(runtime="openvino")).targets
    kinds = {node.op_type for node in load_model(done.bundle / "model.onnx").graph.node}
    assert "QuantizeLinear" in kinds and not kinds & INTEGER_OPERATORS
    assert {run.name for run in done.steps if run.role == "student"}.isdisjoint({"fuse", "mixed-precision"})
    parity = next(gate for gate in done.verdict.gates if gate.name == "parity")
    assert parity.status is Status.PASSED
