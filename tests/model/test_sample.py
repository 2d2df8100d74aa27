from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgekit.arrays import Arrays
from edgekit.errors import ModelError
from edgekit.model.sample import comparison_samples, random_inputs
from edgekit.runtimes.ort import host_outputs


def model(path: Path, shape: list[object], kind: int = TensorProto.FLOAT) -> Path:
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", kind, shape)],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def test_inputs_fit_the_model_and_repeat(conv_model: Path) -> None:
    first, second = random_inputs(conv_model, batch=3), random_inputs(conv_model, batch=3)
    assert first[0].shape == (3, 3, 6, 6)
    assert np.array_equal(first[0], second[0])
    assert host_outputs(conv_model, first)[0].shape == (3, 5)


@pytest.mark.parametrize("kind", [TensorProto.INT64, TensorProto.BOOL, TensorProto.UINT8, TensorProto.FLOAT16])
def test_every_type_of_number_can_be_made_up(tmp_path: Path, kind: int) -> None:
    (array,) = random_inputs(model(tmp_path / "m.onnx", [2, 4], kind))
    assert array.dtype == helper.tensor_dtype_to_np_dtype(kind)
    assert array.shape == (2, 4)


def test_an_axis_without_a_length_and_strings_are_reported(tmp_path: Path) -> None:
    path = model(tmp_path / "m.onnx", ["batch", "sequence"])
    with pytest.raises(ModelError, match="dynamic axis 'sequence'"):
        random_inputs(path)
    assert random_inputs(path, sizes={"sequence": [9]})[0].shape == (1, 9)
    with pytest.raises(ModelError, match="no random input can be generated"):
        random_inputs(model(tmp_path / "s.onnx", [1], TensorProto.STRING))


def test_calibration_samples_are_taken_where_they_fit(tmp_path: Path) -> None:
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    for batch, count in (("batch", 3), (2, 2)):
        samples = comparison_samples(model(tmp_path / "m.onnx", [batch, 4]), (x,))
        assert samples.origin == f"{count} calibration samples"
        assert np.array_equal(samples.inputs[0], x[:count])


@pytest.mark.parametrize("given", [(), (np.zeros((3, 5), np.float32),), (np.zeros((3, 4)),), (np.zeros((3, 4, 1)),)])
def test_where_they_do_not_fit_inputs_are_made_up_and_it_is_said(tmp_path: Path, given: Arrays) -> None:
    samples = comparison_samples(model(tmp_path / "m.onnx", ["batch", 4]), given)
    assert samples.inputs[0].shape == (2, 4)
    assert samples.origin.startswith("made-up inputs")
