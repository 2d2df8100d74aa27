from pathlib import Path

import numpy as np
import pytest

from edgekit.benchmarking.agreement import agreement
from edgekit.model.reading import save_model
from edgekit.tflite.writing import write_model
from edgekit.traits import Fidelity
from tests.tflite.models import integers, needs_runtime, node


def told(model: Path, given: np.ndarray, wanted: np.ndarray) -> dict[str, float]:
    found = agreement("m", model, [given], "other 1.0", [wanted], Fidelity.NATIVE, "made-up samples")
    assert all("from other 1.0, made-up samples" in one.detail for one in found)
    return {one.name: one.value for one in found}


def test_outputs_on_integers_are_so_many_steps_apart(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    save_model(integers([1, 4], [node("Relu", ["xd"], ["yd"])]), path)
    wanted = np.array([[[0.0, 0.04, 0.08, 0.04]], [[0.0, 0.04, 0.0, 0.0]]], np.float32)
    given = wanted + np.array([[[0, 0.08, 0, 0]], [[0, 0, 0, 0]]], np.float32)
    assert told(path, given, wanted) == {"steps_apart": pytest.approx(2), "same_largest": 50.0}


@needs_runtime
def test_so_are_those_of_a_tflite_file(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(write_model(integers([1, 4], [node("Relu", ["xd"], ["yd"])])).data)
    wanted = np.zeros((2, 1, 4), np.float32)
    assert told(path, wanted + np.float32(0.04), wanted)["steps_apart"] == 1


def test_floats_are_apart_by_a_share_of_the_largest(conv_model: Path) -> None:
    wanted = np.array([[[1.0, -4.0]]])
    found = told(conv_model, wanted + np.array([0.0, 0.04]), wanted)
    assert found == {"share_apart": pytest.approx(0.01), "same_largest": 100.0}


def test_one_number_has_no_largest(conv_model: Path) -> None:
    assert set(told(conv_model, np.ones((3, 1)), np.ones((3, 1)))) == {"share_apart"}


def test_outputs_of_other_shapes_do_not_agree(conv_model: Path) -> None:
    (found,) = agreement("m", conv_model, [np.ones((1, 3))], "other", [np.ones((1, 2))], Fidelity.NATIVE, "samples")
    assert found.value == float("inf") and "other shapes" in found.detail
    (found,) = agreement("m", conv_model, [np.ones((1, 3))] * 2, "other", [np.ones((1, 3))], Fidelity.NATIVE, "samples")
    assert found.value == float("inf")
