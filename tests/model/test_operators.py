import onnx
from onnx import TensorProto, helper

from edgekit.model.operators import nodes, operator_kinds, weights


def branching() -> onnx.ModelProto:
    """An If whose branch adds a constant of its own to an outer tensor."""
    inner = helper.make_graph(
        [helper.make_node("Add", ["x", "one"], ["sum"])],
        "then",
        [],
        [helper.make_tensor_value_info("sum", TensorProto.FLOAT, [1])],
        [helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])],
    )
    other = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["same"])],
        "else",
        [],
        [helper.make_tensor_value_info("same", TensorProto.FLOAT, [1])],
    )
    graph = helper.make_graph(
        [helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=other)],
        "g",
        [
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [1]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def test_the_nodes_of_branches_are_seen() -> None:
    assert [each.op_type for each in nodes(branching().graph)] == ["If", "Identity", "Add"]


def test_scales_and_shapes_are_no_weights_and_conversions_no_operators() -> None:
    floats = {"w": [2, 2], "scale": [1]}
    initializers = [helper.make_tensor(k, TensorProto.FLOAT, v, [1.0] * (v[0] * v[-1])) for k, v in floats.items()]
    initializers += [
        helper.make_tensor("zero", TensorProto.INT8, [1], [0]),
        helper.make_tensor("shape", TensorProto.INT64, [2], [1, 2]),
    ]
    graph = helper.make_graph(
        [
            helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
            helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["d"]),
            helper.make_node("MatMul", ["d", "w"], ["m"]),
            helper.make_node("Reshape", ["m", "shape"], ["y"]),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])],
        initializers,
    )
    assert [each.name for each in weights(graph)] == ["w"]
    assert operator_kinds(helper.make_model(graph)) == (0, 1)
