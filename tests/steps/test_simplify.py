from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.contract.step import Outcome
from edgekit.model.facts import observed_facts
from edgekit.model.reading import load_model
from edgekit.model.sample import random_inputs
from edgekit.numerics.compare import relative_difference
from edgekit.project.project import Project
from edgekit.runtimes.ort import host_outputs, optimize_offline
from edgekit.steps import simplify
from edgekit.steps.simplify import Simplify, _Source
from edgekit.traits import Trait


def test_batch_norms_are_folded_shapes_known_and_outputs_equal(
    run_step: Callable[..., Outcome], tiny: Project, conv_model: Path
) -> None:
    done = run_step(Simplify(), tiny, conv_model)
    assert {Trait.FOLDED, Trait.FLOAT} <= observed_facts(load_model(done.path))
    assert done.notes["nodes"] < done.notes["nodes_before"]
    inputs = random_inputs(conv_model, batch=3)
    assert relative_difference(host_outputs(conv_model, inputs), host_outputs(done.path, inputs)) < 1e-5
    assert {name: each["status"] for name, each in done.notes["tried"].items()} == {
        "onnxsim": "equal",
        "onnxslim": "equal",
    }
    assert [path.name for path in done.path.parent.glob("*.onnx")] == ["model.onnx"]


CRASH = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
WRONG = """
import onnx, sys
from onnx import numpy_helper
model = onnx.load(sys.argv[1])
tensor = model.graph.initializer[0]
tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * 2, tensor.name))
onnx.save(model, sys.argv[2])
"""


@pytest.mark.parametrize(
    ("script", "told"),
    [(CRASH, "crashed with signal 11"), (WRONG, "differs by"), ("1 / 0", "failed: ZeroDivisionError")],
)
def test_a_simplifier_that_crashes_or_lies_is_passed_over(
    run_step: Callable[..., Outcome],
    tiny: Project,
    conv_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    told: str,
) -> None:
    monkeypatch.setitem(simplify._SIMPLIFIERS, "onnxsim", script)
    done = run_step(Simplify(), tiny, conv_model)
    assert done.notes["chosen"] == "onnxslim"
    assert told in done.notes["tried"]["onnxsim"]["status"]


def test_where_neither_serves_the_graph_stays_and_the_build_goes_on(
    run_step: Callable[..., Outcome], tiny: Project, conv_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("onnxsim", "onnxslim"):
        monkeypatch.setitem(simplify._SIMPLIFIERS, name, WRONG)
    done = run_step(Simplify(), tiny, conv_model)
    assert done.notes["chosen"] == "neither"
    assert {Trait.FOLDED, Trait.FLOAT} <= observed_facts(load_model(done.path))
    inputs = random_inputs(conv_model, batch=3)
    assert relative_difference(host_outputs(conv_model, inputs), host_outputs(done.path, inputs)) < 1e-5
    assert [path.name for path in done.path.parent.glob("*.onnx")] == ["model.onnx"]


def test_a_file_that_is_not_valid_is_passed_over(
    run_step: Callable[..., Outcome], tiny: Project, conv_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As onnxslim leaves a model of IR version 3: constants that are no inputs."""
    invalid = "import onnx, sys; model = onnx.load(sys.argv[1]); model.ir_version = 3; onnx.save(model, sys.argv[2])"
    monkeypatch.setitem(simplify._SIMPLIFIERS, "onnxslim", invalid)
    done = run_step(Simplify(), tiny, conv_model)
    assert done.notes["chosen"] == "onnxsim"
    assert "not a valid ONNX model" in done.notes["tried"]["onnxslim"]["status"]


def test_a_rest_of_large_sums_may_differ_by_what_their_rounding_does(
    run_step: Callable[..., Outcome], tiny: Project, cancelling: Path
) -> None:
    done = run_step(Simplify(), tiny, cancelling)
    assert done.notes["chosen"] != "neither"
    assert done.notes["compared_on"] == "8 calibration samples"
    apart = max(each["parity"] for each in done.notes["tried"].values())
    assert 1e-4 < apart < done.notes["tolerance"] < 0.05


def test_what_only_one_runtime_knows_is_not_simpler(conv_model: Path, tmp_path: Path) -> None:
    optimize_offline(conv_model, tmp_path / "fused.onnx", keep_int8_activations=False)
    source = _Source.of(conv_model, random_inputs(conv_model, batch=2))
    assert source.verdict(tmp_path / "fused.onnx")["status"] == "gave operators that are not standard"
