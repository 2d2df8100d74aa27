from collections.abc import Sequence

import numpy as np
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from edgekit.model import operator_kinds as module
from edgekit.model.shapes import for_one_sample


def operator_kinds(model: ModelProto) -> tuple[int, int]:
    found = module.operator_kinds(model, for_one_sample(model))
    return found.integer, sum(found.floating.values())


def islands(model: ModelProto) -> dict[str, int]:
    return module.operator_kinds(model, for_one_sample(model)).islands


def made(nodes: Sequence[NodeProto], kind: int = TensorProto.FLOAT) -> ModelProto:
    """x (batch, 4) to y, with s and z for a scale and a zero point, and indices for whatever wants them."""
    (x, y) = (helper.make_tensor_value_info(name, kind, ["n", 4]) for name in "xy")
    constants = {
        "s": np.array(0.1, np.float32), "z": np.array(0, np.uint8), "w": np.ones((4, 4), np.float32),
        "flat": np.array([-1, 4]), "first": np.array([0]), "four": np.array([4]), "one": np.array([1]),
        "factors": np.ones(2, np.float32),
    }  # fmt: skip
    graph = helper.make_graph(
        nodes, "g", [x], [y], [numpy_helper.from_array(array, name) for name, array in constants.items()]
    )
    domains = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=domains, ir_version=9)


def node(kind: str, given: str, output: str, **attributes: object) -> NodeProto:
    return helper.make_node(kind, given.split(), [output], **attributes)


def test_conversions_are_neither_and_products_of_floats_floats() -> None:
    nodes = [node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q s z", "d"), node("MatMul", "d w", "y")]
    assert operator_kinds(made(nodes)) == (0, 1)


def test_integer_operators_are_integer_ones() -> None:
    nodes = [
        node("QuantizeLinear", "x s z", "q"),
        node("QLinearAdd", "q s z q s z s z", "a", domain="com.microsoft"),
        node("DequantizeLinear", "a s z", "y"),
    ]
    assert operator_kinds(made(nodes)) == (1, 0)


@pytest.mark.parametrize(
    "moving",
    [
        node("Split", "x", "y", axis=1),
        node("Expand", "x flat", "y"),
        node("Slice", "x first four one", "y"),
        node("GatherND", "x first", "y"),
        node("Pad", "x flat", "y"),
        node("Transpose", "x", "y"),
        node("Less", "x w", "y"),
    ],
)
def test_what_moves_or_compares_numbers_is_no_computation(moving: NodeProto) -> None:
    assert operator_kinds(made([moving])) == (0, 0)


def test_arithmetic_on_shapes_is_no_computation() -> None:
    nodes = [
        node("Shape", "x", "shape"),
        node("Mul", "shape one", "doubled"),
        node("Range", "first doubled one", "r"),
        node("Reshape", "x doubled", "m"),
        node("Relu", "m", "y"),
    ]
    assert operator_kinds(made(nodes)) == (0, 1)


def test_a_float_result_of_an_integer_operator_is_known_to_be_float() -> None:
    nodes = [
        node("MatMulIntegerToFloat", "x z s s", "m", domain="com.microsoft"),
        node("Relu", "m", "y"),
    ]
    assert operator_kinds(made(nodes, TensorProto.UINT8)) == (1, 1)


def between(*moving: NodeProto, end: str = "m") -> ModelProto:
    """Moves from d to m, between conversions."""
    return made(
        [
            node("QuantizeLinear", "x s z", "q"),
            node("DequantizeLinear", "q s z", "d"),
            *moving,
            node("QuantizeLinear", f"{end} s z", "r"),
            node("DequantizeLinear", "r s z", "y"),
        ]
    )


def test_floats_moved_between_conversions_are_an_island() -> None:
    assert operator_kinds(between(node("Transpose", "d", "m"))) == (0, 1)
    assert operator_kinds(between(node("Transpose", "d", "t"), node("Reshape", "t flat", "m"))) == (0, 1), "once"
    assert operator_kinds(between(node("Concat", "d d", "m", axis=1))) == (0, 1)


def test_an_island_may_be_asked_for_its_shape() -> None:
    moving = [node("Transpose", "d", "m"), node("Shape", "m", "size"), node("Expand", "one size", "other")]
    assert operator_kinds(between(*moving)) == (0, 1)


def test_what_also_meets_floats_is_no_island_but_part_of_them() -> None:
    assert operator_kinds(between(node("Relu", "d", "t"), node("Transpose", "t", "m"))) == (0, 1)
    assert operator_kinds(between(node("Transpose", "d", "m"), node("Exp", "m", "e"))) == (0, 1)
    assert operator_kinds(between(node("Transpose", "d", "m"), end="x")) == (0, 0), "nothing takes it"


def test_a_weight_that_is_turned_is_no_island() -> None:
    nodes = [
        node("DequantizeLinear", "w8 s z", "d"),
        node("Transpose", "d", "t"),
        node("MatMul", "x t", "y"),
    ]
    assert operator_kinds(made(nodes)) == (0, 1)


def test_operators_on_floats_are_told_by_type() -> None:
    nodes = [node("Relu", "x", "a"), node("Sigmoid", "a", "b"), node("Relu", "b", "c"), node("Identity", "c", "y")]
    model = made(nodes)
    assert module.operator_kinds(model, for_one_sample(model)).floating == {"Relu": 2, "Sigmoid": 1}
    moved = between(node("Transpose", "d", "m"))
    assert module.operator_kinds(moved, for_one_sample(moved)).floating == {module.MOVES: 1}


def test_islands_are_named_by_their_operators() -> None:
    assert islands(between(node("Relu", "d", "t"), node("Transpose", "t", "m"))) == {"Relu, Transpose": 1}
    shaped = [node("Shape", "d", "size"), node("Reshape", "d size", "t"), node("HardSwish", "t", "m")]
    assert islands(between(*shaped)) == {"Reshape, HardSwish": 1}
    assert islands(between(node("Add", "d w", "m"))) == {"Add": 1}, "a constant is no neighbour"
    assert islands(between(node("Add", "d x", "m"))) == {}, "floats come in"
    ends = [node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q s z", "d"), node("Relu", "d", "y")]
    assert islands(made(ends)) == {}, "floats go out"
    assert islands(between(node("Transpose", "q", "m"))) == {}, "on integers"


@pytest.mark.parametrize(("mode", "floats"), [("nearest", 0), ("linear", 1)])
def test_a_resize_moves_or_computes(mode: str, floats: int) -> None:
    """Its factors are floats, whatever it resizes."""
    assert operator_kinds(made([helper.make_node("Resize", ["x", "", "factors"], ["y"], mode=mode)])) == (0, floats)
    resized = [
        node("QuantizeLinear", "x s z", "q"),
        helper.make_node("Resize", ["q", "", "factors"], ["r"], mode=mode),
        node("DequantizeLinear", "r s z", "y"),
    ]
    assert operator_kinds(made(resized)) == (0, 0)
    assert islands(between(helper.make_node("Resize", ["d", "", "factors"], ["m"], mode=mode))) == {"Resize": 1}
