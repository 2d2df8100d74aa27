from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.model.parity import relative_difference
from edgekit.model.passes import pooled_means, products_of_gemms
from edgekit.model.shapes import with_shapes
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
    model = pooled_means(with_shapes(mean_model(axes, keepdims, opset)))
    onnx.save(model, tmp_path / "after.onnx")
    assert ("GlobalAveragePool" in {node.op_type for node in model.graph.node}) == pooled
    x = (np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32),)
    before, after = host_outputs(tmp_path / "before.onnx", x), host_outputs(tmp_path / "after.onnx", x)
    assert relative_difference(before, after) < 1e-6
    if pooled:
        assert not model.graph.initializer, "the axes are used no more"


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("options", "replaced"), [({}, True), ({"transB": 1}, True), ({"alpha": 2.0}, False)])
def test_gemm_becomes_a_product_and_outputs_stay(
    tmp_path: Path, options: dict[str, float], replaced: bool, bias: bool
) -> None:
    random = np.random.default_rng(0)
    shape = (5, 3) if options.get("transB") else (3, 5)
    constants = [
        numpy_helper.from_array(random.standard_normal(shape).astype(np.float32), "w"),
        numpy_helper.from_array(random.standard_normal(5).astype(np.float32), "b"),
    ]
    node = helper.make_node("Gemm", ["x", "w", "b"] if bias else ["x", "w"], ["y"], **options)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([node], "g", [x], [y], constants if bias else constants[:1])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, tmp_path / "before.onnx")
    onnx.save(products_of_gemms(model), tmp_path / "after.onnx")
    assert ("MatMul" in {each.op_type for each in model.graph.node}) == replaced
    inputs = (random.standard_normal((2, 3)).astype(np.float32),)
    before, after = host_outputs(tmp_path / "before.onnx", inputs), host_outputs(tmp_path / "after.onnx", inputs)
    assert relative_difference(before, after) < 1e-6
