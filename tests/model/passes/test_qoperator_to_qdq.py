from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, NodeProto, helper, numpy_helper

from edgekit.arrays import Array
from edgekit.model.operators import INTEGER_OPERATORS
from edgekit.model.passes.qoperator_to_qdq import QOperatorToQdqPass
from edgekit.model.passes.rewriting import rewrite
from edgekit.model.passes.slim_graph import SlimGraphPass
from edgekit.model.reading import load_model, save_model
from edgekit.runtimes.ort import optimize_offline
from tests.tflite.models import expected, integers, node, samples, weights

STEP = 0.04


def fused(model: ModelProto, folder: Path) -> ModelProto:
    """As a build leaves it for ARM: on int8, inner names and shapes gone."""
    save_model(model, folder / "qdq.onnx")
    optimize_offline(folder / "qdq.onnx", folder / "fused.onnx", keep_int8_activations=True)
    return rewrite(load_model(folder / "fused.onnx"), SlimGraphPass())


def around(kind: str, **attributes: object) -> list[NodeProto]:
    return [node(kind, ["xd"], ["yd"], **attributes)]


def product(
    kind: str, shape: Sequence[int], axis: int, **attributes: object
) -> tuple[list[NodeProto], dict[str, Array]]:
    """A product with weights, and with a bias where the operator takes one."""
    stored, constants = weights(shape, axis)
    if kind == "MatMul":
        del constants["b"]
        return [*stored, node(kind, ["xd", "wd"], ["yd"])], constants
    scale = np.float32(0.03) * constants["sw"]
    constants["bi"] = np.rint(constants.pop("b") / scale).astype(np.int32)
    constants |= {"sb": scale, "zb": np.zeros(len(scale), np.int32)}
    bias = node("DequantizeLinear", ["bi", "sb", "zb"], ["bd"], axis=0)
    return [*stored, bias, node(kind, ["xd", "wd", "bd"], ["yd"], **attributes)], constants


CASES = {
    "QLinearConv": ((1, 3, 6, 6), *product("Conv", (4, 3, 3, 3), 0, pads=[1, 1, 1, 1])),
    "QGemm": ((2, 5), *product("Gemm", (4, 5), 0, transB=1)),
    "QLinearMatMul": ((2, 3, 5), *product("MatMul", (5, 4), 1)),
    "QLinearGlobalAveragePool": ((1, 3, 6, 6), around("GlobalAveragePool"), {}),
    "QLinearAveragePool": ((1, 3, 6, 6), around("AveragePool", kernel_shape=[2, 2], strides=[2, 2]), {}),
    "QLinearSigmoid": ((1, 12), around("Sigmoid"), {}),
    "QLinearLeakyRelu": ((1, 12), around("LeakyRelu", alpha=0.1), {}),
    "QLinearSoftmax": ((1, 12), around("Softmax", axis=-1), {}),
    "QLinearAdd": ((1, 12), [node("Add", ["xd", "xd"], ["yd"])], {}),
    "QLinearMul": ((1, 12), [node("Mul", ["xd", "xd"], ["yd"])], {}),
    "QLinearConcat": ((1, 12), [node("Concat", ["xd", "xd"], ["yd"], axis=1)], {}),
}


@pytest.mark.parametrize("kind", CASES)
def test_an_integer_operator_becomes_the_float_one_between_conversions(kind: str, tmp_path: Path) -> None:
    shape, nodes, constants = CASES[kind]
    given = fused(integers(shape, nodes, constants), tmp_path)
    assert kind in {each.op_type for each in given.graph.node}
    made = rewrite(given, QOperatorToQdqPass())
    onnx.shape_inference.infer_shapes(made, check_type=True, strict_mode=True)
    assert not {each.op_type for each in made.graph.node} & INTEGER_OPERATORS
    assert not {each.domain for each in made.graph.node} - {""}
    inputs = samples(made)
    for before, after in zip(expected(given, inputs), expected(made, inputs), strict=True):
        assert np.abs(before - after).max() <= STEP * 1.001


def whole(
    nodes: Sequence[NodeProto], constants: dict[str, Array] | None = None, outputs: Sequence[str] = ("y",)
) -> ModelProto:
    """A graph from `x`, (1, 4, 6, 6), by way of the int8 tensor `q`; zeros are -5."""
    scales = {"s": np.array(0.03, np.float32), "z": np.array(-5, np.int8)}
    scales |= {"t": np.array(0.05, np.float32), "u": np.array(7, np.int8)}
    stored = [numpy_helper.from_array(array, name) for name, array in {**scales, **(constants or {})}.items()]
    graph = helper.make_graph(
        [node("QuantizeLinear", ["x", "s", "z"], ["q"]), *nodes],
        "graph",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 4, 6, 6])],
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in outputs],
        stored,
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def last(name: str, output: str = "y", scale: str = "s", zero: str = "z") -> NodeProto:
    return node("DequantizeLinear", [name, scale, zero], [output])


MOVES = {
    "pool, turned": [
        node("MaxPool", ["q"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Transpose", ["p"], ["m"], perm=[0, 2, 3, 1]),
        last("m"),
    ],
    "padded with an integer": [node("Pad", ["q", "pads", "fill"], ["m"]), last("m")],
    "put together": [node("Concat", ["q", "q"], ["m"], axis=1), last("m")],
}
CONSTANTS = {"pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]), "fill": np.array(-5, np.int8)}


@pytest.mark.parametrize("name", MOVES)
def test_moves_of_integers_become_moves_of_floats(name: str) -> None:
    model = whole(MOVES[name], CONSTANTS)
    made = rewrite(model, QOperatorToQdqPass())
    kinds = Counter(each.op_type for each in made.graph.node)
    moves = sum(count for kind, count in kinds.items() if not kind.endswith("Linear"))
    assert kinds["QuantizeLinear"] == 1 + moves
    inputs = samples(made)
    for before, after in zip(expected(model, inputs), expected(made, inputs), strict=True):
        assert np.array_equal(before, after)


def test_each_part_of_a_split_keeps_the_scale() -> None:
    nodes = [
        node("Split", ["q"], ["a", "b"], axis=1, num_outputs=2),
        helper.make_node("QLinearAdd", ["a", "s", "z", "b", "s", "z", "t", "u"], ["c"], domain="com.microsoft"),
        last("c", scale="t", zero="u"),
    ]
    model = whole(nodes)
    made = rewrite(model, QOperatorToQdqPass())
    onnx.shape_inference.infer_shapes(made, check_type=True, strict_mode=True)
    assert Counter(each.op_type for each in made.graph.node)["QuantizeLinear"] == 4
    for before, after in zip(expected(model, samples(made)), expected(made, samples(made)), strict=True):
        assert np.abs(before - after).max() <= 0.05 * 1.001


@pytest.mark.parametrize("axes", [[2, 3], None])
def test_means_over_axes_take_them_as_an_input(axes: list[int] | None) -> None:
    values = {} if axes is None else {"axes": axes}
    mean = helper.make_node("QLinearReduceMean", ["q", "s", "z", "t", "u"], ["m"], domain="com.microsoft", **values)
    made = rewrite(whole([mean, last("m", scale="t", zero="u")]), QOperatorToQdqPass())
    onnx.shape_inference.infer_shapes(made, check_type=True, strict_mode=True)
    (x,) = samples(made, count=1)
    grid = np.clip(np.rint(x / 0.03) - 5, -128, 127)
    wanted = 0.03 * (grid + 5).mean(axis=tuple(axes) if axes else None, keepdims=True)
    assert np.abs(expected(made, [x])[0] - wanted).max() <= 0.026


def test_a_choice_between_integers_is_one_between_floats() -> None:
    where = helper.make_node(
        "QLinearWhere", ["c", "q", "s", "z", "q", "s", "z", "t", "u"], ["m"], domain="com.microsoft"
    )
    model = whole([node("Greater", ["x", "h"], ["c"]), where, last("m", scale="t", zero="u")], {"h": np.float32([0.1])})
    made = rewrite(model, QOperatorToQdqPass())
    for before, after in zip(expected(model, samples(made)), expected(made, samples(made)), strict=True):
        assert np.abs(before - after).max() <= 0.05 * 1.001


def test_what_has_its_channels_last_stays() -> None:
    names = ["q", "s", "z", "t", "u"]
    pool = helper.make_node("QLinearGlobalAveragePool", names, ["m"], domain="com.microsoft", channels_last=1)
    made = rewrite(whole([pool, last("m", scale="t", zero="u")]), QOperatorToQdqPass())
    assert [each.op_type for each in made.graph.node] == ["QuantizeLinear", pool.op_type, "DequantizeLinear"]


def test_a_product_that_leaves_floats_is_not_quantized_again() -> None:
    """QGemm without a scale for its output."""
    constants = {"v": np.array([0, 3, 1]), "w": np.arange(-6, 6, dtype=np.int8).reshape(4, 3)}
    constants |= {"sw": np.array(0.02, np.float32), "zw": np.array(0, np.int8), "sh": np.array([-1, 4])}
    inputs = ["f", "s", "z", "w", "sw", "zw"]
    nodes = [node("Reshape", ["q", "sh"], ["f"]), helper.make_node("QGemm", inputs, ["y"], domain="com.microsoft")]
    made = rewrite(whole(nodes, constants), QOperatorToQdqPass())
    assert made.graph.node[-1].op_type == "Gemm"
    for before, after in zip(
        expected(whole(nodes, constants), samples(made)), expected(made, samples(made)), strict=True
    ):
        assert np.allclose(before, after, atol=1e-4)
