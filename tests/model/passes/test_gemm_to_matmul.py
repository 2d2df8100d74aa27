from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.model.passes.gemm_to_matmul import GemmToMatMulPass
from edgekit.model.passes.rewriting import rewrite
from edgekit.numerics.compare import relative_difference
from edgekit.runtimes.ort import host_outputs


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
    onnx.save(rewrite(model, GemmToMatMulPass()), tmp_path / "after.onnx")
    assert ("MatMul" in {each.op_type for each in onnx.load(tmp_path / "after.onnx").graph.node}) == replaced
    inputs = (random.standard_normal((2, 3)).astype(np.float32),)
    before, after = host_outputs(tmp_path / "before.onnx", inputs), host_outputs(tmp_path / "after.onnx", inputs)
    assert relative_difference(before, after) < 1e-6
