import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.model.passes.convert_to_float32 import ConvertToFloat32Pass
from edgekit.model.passes.rewriting import rewrite

X = np.linspace(-2, 2, 12).reshape(3, 4)


def graph(kind: int) -> onnx.ModelProto:
    """y = relu(x w + 1) twice over, and what was cast to the same type on the way."""
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["m"]),
        helper.make_node("Constant", [], ["one"], value=numpy_helper.from_array(np.ones(1, dtype))),
        helper.make_node("Add", ["m", "one"], ["s"]),
        helper.make_node("Relu", ["s"], ["y"]),
        helper.make_node("Cast", ["n"], ["c"], to=kind),
        helper.make_node("Mul", ["c", "y"], ["z"]),
    ]
    inputs = [helper.make_tensor_value_info("x", kind, ["batch", 4]), helper.make_tensor_value_info("n", 7, [1])]
    outputs = [helper.make_tensor_value_info(name, kind, ["batch", 2]) for name in "yz"]
    weights = [numpy_helper.from_array(np.arange(8).reshape(4, 2).astype(dtype), "w")]
    made = helper.make_graph(nodes, "g", inputs, outputs, weights)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def run(model: onnx.ModelProto, dtype: np.dtype) -> list[np.ndarray]:
    onnx.checker.check_model(model, full_check=True)
    running = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return running.run(None, {"x": X.astype(dtype), "n": np.array([2])})


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.DOUBLE])
def test_it_computes_in_float32_and_keeps_its_ports(kind: int) -> None:
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    model = rewrite(graph(kind), ConvertToFloat32Pass())
    for given, expected in zip(run(model, dtype), run(graph(kind), dtype), strict=True):
        assert given.dtype == expected.dtype == dtype and np.allclose(given, expected, rtol=1e-2)
    casts = [node.name or node.output[0] for node in model.graph.node if node.op_type == "Cast"]
    assert len(casts) == 4, "of x, of n, of y and of z"
    assert {tensor.data_type for tensor in model.graph.initializer} == {TensorProto.FLOAT}


def test_a_graph_of_float32_stays_as_it_is() -> None:
    model = rewrite(graph(TensorProto.FLOAT))
    assert rewrite(model, ConvertToFloat32Pass()) == model
