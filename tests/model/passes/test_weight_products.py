import numpy as np
import onnx_ir as ir
from onnx import TensorProto, helper, numpy_helper

from edgekit.model.passes.weight_products import products_by_input


def test_products_over_weights_are_found_by_their_input_and_others_are_not() -> None:
    weights = [numpy_helper.from_array(np.ones((8, 8), np.float32), name) for name in "qk"]
    nodes = [
        helper.make_node("MatMul", ["x", "q"], ["a"]),
        helper.make_node("MatMul", ["x", "k"], ["b"]),
        helper.make_node("MatMul", ["a", "b"], ["scores"]),
        helper.make_node("MatMul", ["scores", "q"], ["y"]),
        helper.make_node("MatMul", ["q", "k"], ["constant"]),
        helper.make_node("Add", ["x", "q"], ["sum"]),
    ]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [8, 8]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    found = products_by_input(ir.from_proto(model))
    assert [(given.name, len(products)) for given, products in found] == [("x", 2), ("scores", 1)]
