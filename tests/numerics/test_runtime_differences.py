from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edgekit.numerics.runtime_differences import runtime_differences
from tests.tflite.models import integers

X = np.random.default_rng(0).standard_normal((2, 4, 8, 8)).astype(np.float32)


def saved(path: Path, kind: type, **pool: object) -> Path:
    """A pool between conversions, as x (2, 4, 8, 8) to y."""
    node = helper.make_node("AveragePool", ["xd"], ["yd"], name="pool", kernel_shape=[3, 3], strides=[2, 2], **pool)
    onnx.save(integers((2, 4, 8, 8), [node], kind=kind), path)
    return path


@pytest.mark.parametrize("kind", [np.int8, np.uint8])
def test_a_pool_whose_integer_kernel_divides_otherwise_is_found(tmp_path: Path, kind: type) -> None:
    path = saved(tmp_path / "m.onnx", kind, pads=[1] * 4, ceil_mode=1, count_include_pad=1)
    ((name, why),) = runtime_differences(path, (X,)).items()
    assert name == "pool" and why.startswith("fused into QLinearAveragePool, it differs by ")


@pytest.mark.parametrize("kind", [np.int8, np.uint8])
@pytest.mark.parametrize("pool", [{}, {"pads": [1] * 4}, {"ceil_mode": 1}, {"pads": [1] * 4, "count_include_pad": 1}])
def test_other_pools_are_computed_as_written(tmp_path: Path, kind: type, pool: dict[str, object]) -> None:
    assert runtime_differences(saved(tmp_path / "m.onnx", kind, **pool), (X,)) == {}


def test_a_float_model_has_no_integers_to_compare(tmp_path: Path) -> None:
    constants = [numpy_helper.from_array(np.ones((4, 4, 3, 3), np.float32), "w")]
    ports = [helper.make_tensor_value_info(name, 1, shape) for name, shape in (("x", [2, 4, 8, 8]), ("y", None))]
    graph = helper.make_graph([helper.make_node("Conv", ["x", "w"], ["y"])], "g", ports[:1], ports[1:], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), tmp_path / "m.onnx")
    assert runtime_differences(tmp_path / "m.onnx", (X,)) == {}
