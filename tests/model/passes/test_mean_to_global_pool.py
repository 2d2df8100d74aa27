from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.model.passes.mean_to_global_pool import MeanToGlobalPoolPass
from edgekit.model.passes.rewriting import rewrite
from edgekit.model.shapes import with_shapes
from edgekit.numerics.compare import relative_difference
from edgekit.runtimes.ort import host_outputs


def mean_model(axes: list[int], keepdims: int, opset: int) -> onnx.ModelProto:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 4, 5])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    if opset >= 18:
        node = helper.make_node("ReduceMean", ["x", "axes"], ["m"], keepdims=keepdims)
        constants = [numpy_helper.from_array(np.array(axes, np.int64), "axes")]
    else:
        node, constants = helper.make_node("ReduceMean", ["x"], ["m"], axes=axes, keepdims=keepdims), []
    graph = helper.make_graph([node, helper.make_node("Relu", ["m"], ["y"])], "g", [x], [y], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


@pytest.mark.parametrize("opset", [13, 18])
@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize(("axes", "pooled"), [([2, 3], True), ([-1, -2], True), ([1, 2], False), ([3], False)])
def test_only_spatial_means_become_pools_and_outputs_stay(
    tmp_path: Path, opset: int, keepdims: int, axes: list[int], pooled: bool
) -> None:
    onnx.save(mean_model(axes, keepdims, opset), tmp_path / "before.onnx")
    model = rewrite(with_shapes(mean_model(axes, keepdims, opset)), MeanToGlobalPoolPass())
    onnx.save(model, tmp_path / "after.onnx")
    assert ("GlobalAveragePool" in {node.op_type for node in model.graph.node}) == pooled
    x = (np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32),)
    before, after = host_outputs(tmp_path / "before.onnx", x), host_outputs(tmp_path / "after.onnx", x)
    assert relative_difference(before, after) < 1e-6
    if pooled:
        assert not model.graph.initializer, "the axes are used no more"


def test_two_means_of_one_tensor_are_told_apart(tmp_path: Path) -> None:
    """Both would name their pool after an output that is there already."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 4, 5])
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3]) for name in ("y", "y_pooled")]
    nodes = [helper.make_node("ReduceMean", ["x"], [each.name], axes=[2, 3], keepdims=0) for each in outputs]
    model = helper.make_model(
        helper.make_graph(nodes, "g", [x], outputs), opset_imports=[helper.make_opsetid("", 13)], ir_version=9
    )
    onnx.save(rewrite(with_shapes(model), MeanToGlobalPoolPass()), tmp_path / "after.onnx")
    onnx.checker.check_model(onnx.load(tmp_path / "after.onnx"))
    given = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32)
    after = host_outputs(tmp_path / "after.onnx", (given,))
    assert all(np.allclose(each, given.mean((2, 3)), atol=1e-6) for each in after) and len(after) == 2


@pytest.mark.parametrize("kind", [TensorProto.DOUBLE, TensorProto.INT32, TensorProto.FLOAT16])
def test_means_of_other_types_stay_since_no_kernel_pools_them(kind: int) -> None:
    model = mean_model([2, 3], 0, 18)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = kind
    after = rewrite(with_shapes(model), MeanToGlobalPoolPass())
    assert "ReduceMean" in {node.op_type for node in after.graph.node}
