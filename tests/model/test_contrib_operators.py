import onnx
import pytest
from onnx import TensorProto, helper

from edgekit.model.contrib_operators import gives_floats, replace_contrib_operators
from edgekit.model.shapes import known_shapes


def test_the_runtimes_own_operators_have_shapes_too() -> None:
    graph = helper.make_graph(
        [
            helper.make_node("FusedMatMul", ["x", "w"], ["m"], domain="com.microsoft"),
            helper.make_node("Relu", ["m"], ["y"]),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 5])],
        [helper.make_tensor("w", TensorProto.FLOAT, [3, 5], [0.0] * 15)],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    )
    assert known_shapes(model)["m"] == (1, 5)


def own(kind: str, given: str, **attributes: object) -> onnx.NodeProto:
    return helper.make_node(kind, given.split(), ["y", "more"], domain="com.microsoft", **attributes)


def made(node: onnx.NodeProto, opset: int = 17) -> onnx.ModelProto:
    (x, y) = (helper.make_tensor_value_info(name, TensorProto.UINT8, ["n", 4]) for name in "xy")
    return helper.make_model(helper.make_graph([node], "g", [x], [y]), opset_imports=[helper.make_opsetid("", opset)])


@pytest.mark.parametrize(
    ("node", "kind", "inputs"),
    [
        (own("QLinearAdd", "x s z b t z o z"), "Add", ["x", "b"]),
        (own("QLinearConcat", "s z x s z b t z", axis=1), "Concat", ["x", "b"]),
        (own("QLinearSigmoid", "x s z s z"), "Identity", ["x"]),
        (own("EmbedLayerNormalization", "ids segments words"), "Gather", ["words", "ids"]),
    ],
)
def test_a_standard_operator_stands_in(node: onnx.NodeProto, kind: str, inputs: list[str]) -> None:
    model = made(node)
    (found,) = replace_contrib_operators(model).graph.node
    assert (found.op_type, found.domain, list(found.input), list(found.output)) == (kind, "", inputs, ["y"])
    assert model.graph.node[0].domain == "com.microsoft", "the model itself stays as it is"


def test_axes_become_an_input_where_the_standard_wants_one() -> None:
    node = own("QLinearReduceMean", "x s z s z", axes=[1], keepdims=0)
    old, new = (replace_contrib_operators(made(node, opset)).graph for opset in (17, 18))
    assert [each.name for each in old.node[0].attribute] == ["axes", "keepdims"] and len(old.node[0].input) == 1
    assert [each.name for each in new.node[0].attribute] == ["keepdims"] and new.initializer[0].int64_data == [1]


def test_what_is_not_known_stays() -> None:
    for node in (own("Twist", "x"), own("QLinearAveragePool", "x s z s z", channels_last=1)):
        assert replace_contrib_operators(made(node)).graph.node[0] == node


def test_some_give_floats_whatever_they_take() -> None:
    assert gives_floats(own("MatMulIntegerToFloat", "x b s t"))
    assert not gives_floats(own("QLinearAdd", "x s z b t z o z")) and not gives_floats(
        helper.make_node("Add", "xx", "y")
    )


def test_stft_is_one_sided_where_it_says_nothing() -> None:
    nodes = [helper.make_node("STFT", ["x", "step", "window"], ["y"])]
    ports = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 64, 1])]
    end = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    constants = [helper.make_tensor("step", TensorProto.INT64, [], [8])]
    constants.append(helper.make_tensor("window", TensorProto.FLOAT, [16], [1.0] * 16))
    graph = helper.make_graph(nodes, "g", ports, end, constants)
    assert known_shapes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]))["y"] == (1, 7, 9, 2)
