import numpy as np
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.model.passes.weight_products import narrows, products_by_input


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


@pytest.mark.parametrize(("shape", "narrow"), [((8, 4), True), ((8, 8), False), ((4, 8), False)])
def test_a_product_that_gives_fewer_numbers_than_it_takes_narrows(shape: tuple[int, int], narrow: bool) -> None:
    weight = ir.Value(name="w", const_value=ir.tensor(np.ones(shape, np.float32)))
    assert narrows(ir.node("MatMul", [ir.Value(name="x"), weight])) is narrow
