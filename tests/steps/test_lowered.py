from collections.abc import Callable
from pathlib import Path

import pytest
from onnx import save

from edgekit.contract.step import Outcome
from edgekit.project.project import Project
from edgekit.steps.tflite import Tflite
from tests.tflite.models import integers, needs_runtime, node

pytestmark = needs_runtime


@pytest.mark.parametrize(("kind", "made", "most"), [("Relu", (0.015, -128), 0), ("Sigmoid", (1 / 255, -128), 2)])
def test_where_tflite_has_only_coarser_integers_an_operator_may_round_twice(
    kind: str, made: tuple[float, int], most: int, run_step: Callable[..., Outcome], tiny: Project, tmp_path: Path
) -> None:
    save(integers([1, 64], [node(kind, ["xd"], ["yd"])], made=made), tmp_path / "given.onnx")
    notes = run_step(Tflite(), tiny, tmp_path / "given.onnx").notes
    assert notes["steps_off"] <= most and notes["output_steps_off"]["y"] <= most
    assert notes["compared_on"].startswith("made-up inputs: the calibration samples do not match the inputs")
