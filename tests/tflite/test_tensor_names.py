from pathlib import Path

import numpy as np

from edgekit.tflite.reading import read_tflite
from edgekit.tflite.tensor_names import with_tensor_names
from edgekit.tflite.writing import write_model
from tests.tflite.models import floats, needs_runtime, node


@needs_runtime
def test_tensors_without_a_name_get_one_and_nothing_else_changes(tmp_path: Path) -> None:
    weight = {"w": np.arange(4, dtype=np.float32).reshape(2, 2)}
    data = write_model(floats([1, 2], [node("MatMul", ["x", "w"], ["h"]), node("Relu", ["h"], ["y"])], weight)).data
    named = with_tensor_names(data)
    assert with_tensor_names(named) == named != data
    (tmp_path / "before.tflite").write_bytes(data)
    (tmp_path / "after.tflite").write_bytes(named)
    before, after = read_tflite(tmp_path / "before.tflite"), read_tflite(tmp_path / "after.tflite")
    assert not all(each.name for each in before.tensors)
    assert len({each.name for each in after.tensors}) == len(after.tensors)
    for one, other in zip(before.tensors, after.tensors, strict=True):
        assert one.name in ("", other.name)
        assert (one.kind, one.shape, one.stored) == (other.kind, other.shape, other.stored)
    assert (before.inputs, before.outputs, before.orders) == (after.inputs, after.outputs, after.orders)
