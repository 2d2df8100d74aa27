from collections.abc import Sequence

import numpy as np
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from edgekit.model.weights import Weight, weights


def constant(name: str, *sizes: int, kind: type = np.float32) -> TensorProto:
    return numpy_helper.from_array(np.ones(sizes, kind), name)


def made(nodes: Sequence[NodeProto], constants: Sequence[TensorProto] = ()) -> ModelProto:
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4]) for name in "xy"]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def names(model: ModelProto) -> list[str]:
    return [each.name for each in weights(model)]


def test_initializers_are_weights_with_type_and_size() -> None:
    model = made([helper.make_node("Gemm", ["x", "w", "b"], ["y"])], [constant("w", 4, 4), constant("b", 4)])
    assert weights(model) == [Weight("w", "float", 16), Weight("b", "float", 4)]


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("QuantizeLinear", "x c c"),
        ("BatchNormalization", "x w w c c"),
        ("Resize", "x c c"),
        ("Pad", "x c c"),
        ("Clip", "x c c"),
        ("LSTM", "x w w w c c c"),
        ("Where", "c x w"),
        ("Greater", "x c"),
        ("QLinearAdd", "x c c x c c c c"),
        ("QLinearConv", "x c c w c c c c w"),
        ("QLinearAdd", "x c c w c c c c"),
        ("QLinearConcat", "c c x c c w c c"),
        ("QLinearWhere", "x w c c x c c c c"),
        ("QLinearMatMul", "w c c x c c c c"),
        ("QGemm", "x c c w c c w c c"),
        ("MatMulIntegerToFloat", "x w c c c c w"),
        ("DynamicQuantizeMatMul", "x w c c w"),
    ],
)
def test_what_is_no_weight_is_left_out(kind: str, given: str) -> None:
    constants = [constant(name, 4) for name in ("w", "c") if name in given.split()]
    assert names(made([helper.make_node(kind, given.split(), ["y"])], constants)) == ["w"] * ("w" in given.split())


def test_a_tensor_that_is_a_weight_anywhere_is_one_once() -> None:
    nodes = [helper.make_node("Reshape", ["w", "s"], ["r"]), helper.make_node("Gather", ["w", "x"], ["y"])]
    assert names(made(nodes, [constant("w", 4, 4), constant("s", 2, kind=np.int64)])) == ["w"]


def test_single_numbers_are_weights_only_where_one_is_added() -> None:
    nodes = [
        helper.make_node("Mul", ["x", "factor"], ["m"]),
        helper.make_node("Add", ["m", "bias"], ["a"]),
        helper.make_node("Add", ["a", "epsilon"], ["y"]),
    ]
    assert names(made(nodes, [constant("factor", 1), constant("bias", 1), constant("epsilon")])) == ["bias"]


def test_constants_and_tensors_of_one_value_are_weights_where_one_is_expected() -> None:
    nodes = [
        helper.make_node("Constant", [], ["w"], value=constant("", 4, 4)),
        helper.make_node("Constant", [], ["size"], value=numpy_helper.from_array(np.array([4]))),
        helper.make_node("ConstantOfShape", ["size"], ["b"]),
        helper.make_node("Gemm", ["x", "w", "b"], ["g"]),
        helper.make_node("Constant", [], ["two"], value_float=2.0),
        helper.make_node("Mul", ["g", "two"], ["m"]),
        helper.make_node("ConstantOfShape", ["size"], ["zeros"]),
        helper.make_node("Concat", ["m", "zeros"], ["y"], axis=0),
    ]
    assert weights(made(nodes)) == [Weight("w", "float", 16), Weight("b", "float", 4)]


def test_packed_weights_are_as_many_as_they_unpack_to() -> None:
    node = helper.make_node("MatMulNBits", ["x", "w", "s"], ["y"], domain="com.microsoft", K=64, N=4, bits=4)
    model = made([node], [constant("w", 4, 2, 16, kind=np.uint8), constant("s", 8)])
    assert weights(model) == [Weight("w", "int4", 256)]


def test_inner_graphs_and_functions_have_weights_too() -> None:
    output = helper.make_tensor_value_info("o", TensorProto.FLOAT, None)
    add = helper.make_node("Add", ["x", "inner"], ["o"])
    branches = [
        helper.make_graph([add], "then", [], [output], [constant("inner", 4)]),
        helper.make_graph([helper.make_node("Add", ["x", "outer"], ["o"])], "else", [], [output]),
    ]
    model = made(
        [helper.make_node("If", ["c"], ["y"], then_branch=branches[0], else_branch=branches[1])],
        [constant("outer", 4), constant("c", kind=np.bool_)],
    )
    body = [
        helper.make_node("Constant", [], ["own"], value=constant("", 4)),
        helper.make_node("Add", ["a", "own"], ["b"]),
    ]
    model.functions.append(helper.make_function("mine", "Plus", ["a"], ["b"], body, [helper.make_opsetid("", 17)]))
    assert sorted(names(model)) == ["inner", "outer", "own"]


def test_what_nothing_reads_is_no_weight() -> None:
    model = made([helper.make_node("MatMul", ["x", "w"], ["y"])], [constant("w", 4, 4), constant("unused", 1000, 10)])
    assert weights(model) == [Weight("w", "float", 16)]
