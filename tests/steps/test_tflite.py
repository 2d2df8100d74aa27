from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, save

from edgekit.contract.step import Outcome
from edgekit.errors import StepError
from edgekit.formats import inspect_file
from edgekit.project.project import Project
from edgekit.steps.quantize import Quantize
from edgekit.steps.tflite import Tflite
from edgekit.steps.tflite_dynamic import TfliteDynamic
from edgekit.tflite.subgraph import Subgraph
from tests.tflite.models import floats, integers, needs_runtime, node, weights

pytestmark = needs_runtime
RunStep = Callable[..., Outcome]


def stored(folder: Path, model: ModelProto) -> Path:
    save(model, folder / "given.onnx")
    return folder / "given.onnx"


def conv() -> ModelProto:
    dequantized, constants = weights([6, 4, 3, 3])
    nodes = [*dequantized, node("Conv", ["xd", "wd", "b"], ["yd"], pads=[1, 1, 0, 0])]
    return integers([1, 4, 8, 9], nodes, constants, made=(0.2, 3))


def test_a_quantized_model_is_held_against_onnx_runtime(run_step: RunStep, tiny: Project, plain: Path) -> None:
    outcome = run_step(Tflite(), tiny, run_step(Quantize(), tiny, plain).path)
    assert outcome.path.name == "model.tflite"
    assert outcome.notes["steps_off"] <= 2 and list(outcome.notes["output_steps_off"]) == ["logits"]
    assert outcome.notes["integer_operators"] > 3 and outcome.notes["float_operators"] == {}
    assert "calibration sample" in outcome.notes["compared_on"]
    assert outcome.notes["compared_with"].startswith("ai-edge-litert ")
    assert [each.name for each in outcome.path.parent.glob("*.tflite")] == ["model.tflite"]


def test_ports_may_be_integers_and_are_compared_as_what_they_stand_for(
    run_step: RunStep, tiny: Project, tmp_path: Path
) -> None:
    outcome = run_step(Tflite(ports="int8"), tiny, stored(tmp_path, conv()))
    assert [port.dtype for port in inspect_file(outcome.path).inputs] == ["int8"]
    assert outcome.notes["output_steps_off"]["y"] <= 1
    assert outcome.notes["orders"] == {"x": [0, 2, 3, 1], "y": [0, 2, 3, 1]}


def test_a_float_model_is_left_as_floats_or_with_integer_weights(
    run_step: RunStep, tiny: Project, tmp_path: Path
) -> None:
    kernel = np.random.default_rng(0).normal(size=(32, 16, 3, 3)).astype(np.float32)
    path = stored(tmp_path, floats([1, 16, 8, 8], [node("Conv", ["x", "w"], ["y"])], {"w": kernel}))
    whole, rounded = run_step(Tflite(), tiny, path), run_step(TfliteDynamic(), tiny, path)
    assert whole.notes["difference"] < 1e-5
    assert rounded.notes["bytes"] < 0.4 * whole.notes["bytes"]
    assert 20 < rounded.notes["signal_to_noise_db"] < 60


def test_a_fault_of_the_writer_is_found(
    run_step: RunStep, tiny: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here of a padding that is put on the other side."""
    numbers = Subgraph.numbers

    def turned(self: Subgraph, name: str, values: object) -> int:
        if name == "around":
            values = tuple(pair[::-1] for pair in values)  # type: ignore[attr-defined]
        return numbers(self, name, values)

    monkeypatch.setattr(Subgraph, "numbers", turned)
    with pytest.raises(StepError, match="the TFLite model's outputs differ from the ONNX model's: 'yq' by"):
        run_step(Tflite(), tiny, stored(tmp_path, conv()))


def test_an_operator_that_tflite_has_not_is_named(run_step: RunStep, tiny: Project, tmp_path: Path) -> None:
    path = stored(tmp_path, floats([1, 4], [node("Erf", ["x"], ["y"], name="it")]))
    with pytest.raises(StepError, match="'it' is Erf, an operator that edgekit does not write"):
        run_step(Tflite(), tiny, path)
