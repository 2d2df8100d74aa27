import onnx
from onnx import TensorProto, helper

from edgekit.model.operators import attribute, graphs, nodes, operator_counts


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


def test_inner_graphs_and_functions_are_counted_along() -> None:
    model = branching()
    body = [helper.make_node("Add", ["a", "a"], ["b"])]
    model.functions.append(helper.make_function("mine", "Twice", ["a"], ["b"], body, [helper.make_opsetid("", 17)]))
    assert [each.name for each in graphs(model.graph)] == ["g", "else", "then"]
    assert operator_counts(model) == {"If": 1, "Identity": 1, "Add": 2}


def test_an_attribute_that_is_not_there_has_its_default() -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"], group=4)
    assert (attribute(node, "group", 1), attribute(node, "kernels", 7)) == (4, 7)
