"""Held against counts by hand."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import pytest
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from edgekit.model import macs
from edgekit.model.macs import Macs
from edgekit.model.shapes import for_one_sample

Sizes = Sequence[int | str | None]


def macs_of(model: ModelProto, sizes: Mapping[str, list[int]] | None = None) -> Macs:
    return macs.macs_of(for_one_sample(model, sizes))


def value(name: str, sizes: Sizes | None, kind: int = TensorProto.FLOAT) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, sizes)


def constant(name: str, *sizes: int, kind: type = np.float32) -> TensorProto:
    return numpy_helper.from_array(np.ones(sizes, kind), name)


def model(
    nodes: Sequence[NodeProto],
    inputs: dict[str, Sizes],
    constants: Sequence[TensorProto] = (),
    opset: int = 17,
    kind: int = TensorProto.FLOAT,
) -> ModelProto:
    """A model whose only output is y, of unknown shape."""
    graph = helper.make_graph(
        nodes, "g", [value(name, sizes, kind) for name, sizes in inputs.items()], [value("y", None, kind)], constants
    )
    domains = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=domains, ir_version=9)


def node(kind: str, inputs: str, outputs: str = "y", **attributes: object) -> NodeProto:
    given = ["" if name == "-" else name for name in inputs.split()]
    return helper.make_node(kind, given, outputs.split(), **attributes)


def own(kind: str, inputs: str, outputs: str = "y", **attributes: object) -> NodeProto:
    """One of the runtime's own."""
    return node(kind, inputs, outputs, domain="com.microsoft", **attributes)


IMAGE: dict[str, Sizes] = {"x": ["n", 8, 10, 10]}
ROWS: dict[str, Sizes] = {"x": ["n", 10, 32]}


@pytest.mark.parametrize(
    ("made", "right"),
    [
        (model([node("Conv", "x w")], IMAGE, [constant("w", 16, 8, 3, 3)]), 8 * 8 * 16 * 8 * 9),
        (model([node("Conv", "x w", group=4)], IMAGE, [constant("w", 16, 2, 3, 3)]), 8 * 8 * 16 * 2 * 9),
        (model([node("ConvTranspose", "x w")], IMAGE, [constant("w", 8, 6, 3, 3)]), 10 * 10 * 8 * 6 * 9),
        (
            model([node("ConvTranspose", "x w", strides=[2, 2], group=2)], IMAGE, [constant("w", 8, 3, 2, 2)]),
            10 * 10 * 8 * 3 * 4,
        ),
        (model([node("Gemm", "x w", transB=1)], {"x": ["n", 32]}, [constant("w", 5, 32)]), 5 * 32),
        (model([node("Gemm", "x w", transA=1)], {"x": [32, 7]}, [constant("w", 32, 5)]), 7 * 5 * 32),
        (model([node("MatMul", "x w")], ROWS, [constant("w", 32, 64)]), 10 * 32 * 64),
        (model([node("MatMul", "x w")], {"x": ["n", 32]}, [constant("w", 32)]), 32),
    ],
)
def test_convolutions_and_products(made: ModelProto, right: int) -> None:
    assert macs_of(made) == Macs(right)


def recurrent(kind: str, gates: int, directions: int = 1, **attributes: object) -> ModelProto:
    constants = [constant("w", directions, gates * 48, 20), constant("r", directions, gates * 48, 48)]
    return model([node(kind, "x w r", hidden_size=48, **attributes)], {"x": [50, "n", 20]}, constants)


@pytest.mark.parametrize(("kind", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
def test_recurrent_layers_run_every_gate_at_every_step(kind: str, gates: int) -> None:
    one = 50 * gates * 48 * (20 + 48)
    assert macs_of(recurrent(kind, gates), {"n": [1]}) == Macs(one)
    assert macs_of(recurrent(kind, gates, 2, direction="bidirectional"), {"n": [1]}) == Macs(2 * one)
    assert macs_of(recurrent(kind, gates)).count is None, "the second axis is not known to be the batch"


def test_an_lstm_with_the_batch_first_is_counted_alike() -> None:
    constants = [constant("w", 1, 192, 20), constant("r", 1, 192, 48)]
    made = model([node("LSTM", "x w r", hidden_size=48, layout=1)], {"x": ["n", 50, 20]}, constants)
    assert macs_of(made) == Macs(50 * 192 * 68)


@pytest.mark.parametrize(
    ("equation", "right"),
    [
        ("bij,jk->bik", 10 * 32 * 16),
        ("bij,jk", 10 * 32 * 16),
        ("bij, jk -> bi", 10 * 32),
        ("bij,bkj->bik", 10 * 10 * 32),
        ("bij->bji", 0),
    ],
)
def test_einsum_counts_the_axes_that_both_operands_or_the_result_have(equation: str, right: int) -> None:
    other = "x" if "bkj" in equation else "w"
    operands = "x" if "," not in equation else f"x {other}"
    made = model([node("Einsum", operands, equation=equation)], ROWS, [constant("w", 32, 16)])
    assert macs_of(made) == Macs(right)


def test_an_einsum_whose_order_is_open_is_unknown() -> None:
    made = model([node("Einsum", "x w w", equation="bij,jk,jk->bk")], ROWS, [constant("w", 32, 16)])
    assert macs_of(made).count is None and "Einsum" in macs_of(made).unknown


def test_attention_is_two_products() -> None:
    nodes = [
        node("MatMul", "x wq", "q"),
        node("MatMul", "x wk", "k"),
        node("Transpose", "k", "t", perm=[0, 2, 1]),
        node("MatMul", "q t", "scores"),
        node("Softmax", "scores", "p"),
        node("MatMul", "p x"),
    ]
    constants = [constant(name, 32, 32) for name in ("wq", "wk")]
    assert macs_of(model(nodes, ROWS, constants)) == Macs(2 * 10 * 32 * 32 + 2 * 10 * 10 * 32)


def test_the_attention_operator_is_counted_as_its_products() -> None:
    made = model(
        [node("Attention", "q k v")], {"q": ["n", 4, 10, 8], "k": ["n", 4, 12, 8], "v": ["n", 4, 12, 6]}, (), 23
    )
    assert macs_of(made) == Macs(4 * 10 * 12 * (8 + 6))
    heads = {"q_num_heads": 4, "kv_num_heads": 2}
    flat = model([node("Attention", "q k v", **heads)], {"q": [1, 10, 32], "k": [1, 12, 16], "v": [1, 12, 12]}, (), 23)
    assert macs_of(flat) == Macs(10 * 12 * (32 + 4 * 6))
    past = model(
        [node("Attention", "q k v - p r")],
        {name: ["n", 4, 10, 8] for name in ("q", "k", "v", "p", "r")},
        (),
        23,
    )
    assert macs_of(past).count is None


def test_the_runtimes_own_attention_is_counted_with_its_projections() -> None:
    made = model([own("Attention", "x w b", num_heads=4)], ROWS, [constant("w", 32, 96), constant("b", 96)])
    assert macs_of(made) == Macs(10 * 32 * 96 + 2 * 10 * 10 * 32)
    separate = model(
        [own("MultiHeadAttention", "x k v", num_heads=4)], {"x": ["n", 10, 32], "k": ["n", 12, 32], "v": ["n", 12, 32]}
    )
    assert macs_of(separate) == Macs(2 * 10 * 12 * 32)


def test_a_product_over_flattened_rows_counts_every_row() -> None:
    """As simplifiers write a Linear over (batch, sequence, features)."""
    shapes = [
        numpy_helper.from_array(np.array(each), name) for name, each in (("two", [-1, 32]), ("three", [-1, 10, 64]))
    ]
    nodes = [node("Reshape", "x two", "flat"), node("Gemm", "flat w", "g"), node("Reshape", "g three")]
    made = model(nodes, ROWS, [constant("w", 32, 64), *shapes])
    assert macs_of(made) == Macs(10 * 32 * 64)
    stated = onnx.shape_inference.infer_shapes(made, data_prop=True)
    assert macs_of(stated) == Macs(10 * 32 * 64), "a first axis of unknown length is not one sample"


def test_dynamic_axes_are_unknown_until_they_are_named() -> None:
    made = model([node("MatMul", "x w")], {"x": ["n", "steps", 32]}, [constant("w", 32, 64)])
    assert macs_of(made).count is None and "'y' at MatMul" in macs_of(made).unknown
    assert macs_of(made, {"steps": [10]}) == Macs(10 * 32 * 64)
    assert macs_of(made, {"steps": [10], "n": [4]}) == Macs(4 * 10 * 32 * 64)


def branch(name: str, width: int) -> GraphProto:
    nodes = [node("MatMul", f"x w{width}", f"{name}1"), node("ReduceSum", f"{name}1", f"{name}2")]
    return helper.make_graph(nodes, name, [], [value(f"{name}2", None)])


def choosing(then: int, other: int, constants: Sequence[TensorProto] = ()) -> ModelProto:
    chosen = node("If", "c", then_branch=branch("then", then), else_branch=branch("else", other))
    made = model([chosen], ROWS, [constant("w64", 32, 64), constant("w16", 32, 16), *constants])
    if not constants:
        made.graph.input.append(value("c", [], TensorProto.BOOL))
    return made


def test_an_if_counts_where_its_branches_agree_or_its_condition_is_constant() -> None:
    assert macs_of(choosing(64, 64)) == Macs(10 * 32 * 64)
    assert macs_of(choosing(64, 16)) == Macs(None, "the branches of an If differ")
    for condition, width in ((True, 64), (False, 16)):
        assert macs_of(choosing(64, 16, [numpy_helper.from_array(np.array(condition), "c")])) == Macs(10 * 32 * width)


def loop(inner: NodeProto) -> ModelProto:
    body = helper.make_graph(
        [node("Identity", "go", "on"), inner],
        "body",
        [value("i", [], TensorProto.INT64), value("go", [], TensorProto.BOOL), value("s", ["n", 10, 32])],
        [value("on", [], TensorProto.BOOL), value("t", ["n", 10, 32])],
    )
    made = model([node("Loop", "- c x", body=body)], ROWS, [constant("w", 32, 32)])
    made.graph.input.append(value("c", [], TensorProto.BOOL))
    return made


def test_a_loop_is_unknown_unless_nothing_is_multiplied_in_it() -> None:
    assert macs_of(loop(node("MatMul", "s w", "t"))).count is None
    assert macs_of(loop(node("Relu", "s", "t"))) == Macs(0)


def test_a_scan_counts_its_body_for_every_step() -> None:
    body = helper.make_graph(
        [node("MatMul", "s w", "m"), node("Add", "m x_i", "t"), node("Identity", "t", "u")],
        "body",
        [value("s", [1, 32]), value("x_i", [1, 32])],
        [value("t", [1, 32]), value("u", [1, 32])],
    )
    made = model(
        [node("Scan", "s0 x", "last y", body=body, num_scan_inputs=1)],
        {"s0": [1, 32], "x": [7, 1, 32]},
        [constant("w", 32, 32)],
    )
    assert macs_of(made) == Macs(7 * 32 * 32)


def test_the_models_own_functions_are_looked_into() -> None:
    domains = [helper.make_opsetid("", 17)]
    function = helper.make_function("mine", "Double", ["a", "b"], ["o"], [node("MatMul", "a b", "o")], domains)
    made = model([helper.make_node("Double", ["x", "w"], ["y"], domain="mine")], ROWS, [constant("w", 32, 64)])
    made.functions.append(function)
    made.opset_import.append(helper.make_opsetid("mine", 1))
    assert macs_of(made) == Macs(10 * 32 * 64)
    assert len(made.functions) == 1, "the model itself stays as it is"


def test_an_operator_that_nobody_knows_makes_the_count_unknown() -> None:
    made = model([helper.make_node("Twist", ["x"], ["y"], domain="mine")], ROWS)
    assert macs_of(made) == Macs(None, "the multiply-accumulates of mine.Twist are not known")
    assert macs_of(model([own("Gelu", "x", "g"), node("MatMul", "g w")], ROWS, [constant("w", 32, 4)])) == Macs(
        10 * 32 * 4
    )


def integer(nodes: Sequence[NodeProto], inputs: dict[str, Sizes], weight: TensorProto, opset: int = 17) -> ModelProto:
    """A model on uint8, scales and zero points being s and z."""
    constants = [constant("s"), constant("z", kind=np.uint8), weight]
    return model(nodes, inputs, constants, opset, TensorProto.UINT8)


@pytest.mark.parametrize("opset", [17, 20])
@pytest.mark.parametrize(
    ("before", "rows", "width"),
    [
        (own("QLinearConcat", "s z x s z x s z", "j", axis=2), 10, 64),
        (own("QLinearReduceMean", "x s z s z", "j", axes=[1], keepdims=1), 1, 32),
        (own("QLinearReduceMean", "x s z s z", "j", axes=[1], keepdims=0), 1, 32),
        (own("QLinearSigmoid", "x s z s z", "j"), 10, 32),
        (own("QLinearSoftmax", "x s z s z", "j", axis=-1, opset=13), 10, 32),
        (own("QLinearAdd", "x s z x s z s z", "j"), 10, 32),
        (own("QLinearMul", "x s z x s z s z", "j"), 10, 32),
        (own("QLinearLeakyRelu", "x s z s z", "j", alpha=0.1), 10, 32),
    ],
)
def test_integer_operators_hide_no_shapes(opset: int, before: NodeProto, rows: int, width: int) -> None:
    product = node("QLinearMatMul", "j s z w s z s z")
    made = integer([before, product], ROWS, constant("w", width, 5, kind=np.uint8), opset)
    assert macs_of(made) == Macs(rows * width * 5)


@pytest.mark.parametrize("kind", ["QLinearAveragePool", "QLinearGlobalAveragePool"])
def test_integer_pools_hide_no_shapes(kind: str) -> None:
    sizes = {"kernel_shape": [10, 10]} if kind == "QLinearAveragePool" else {}
    conv = node("QLinearConv", "p s z w s z s z")
    made = integer([own(kind, "x s z s z", "p", **sizes), conv], IMAGE, constant("w", 5, 8, 1, 1, kind=np.uint8))
    assert macs_of(made) == Macs(5 * 8)
    unusual = integer(
        [own(kind, "x s z s z", "p", channels_last=1, **sizes), conv], IMAGE, constant("w", 5, 8, 1, 1, kind=np.uint8)
    )
    assert macs_of(unusual).count is None


def test_packed_weights_are_counted_unpacked() -> None:
    packed = [constant("w", 64, 1, 16, kind=np.uint8), constant("s", 64)]
    nodes = [own("MatMulNBits", "x w s", "m", K=32, N=64, bits=4, block_size=32), node("MatMul", "m v")]
    assert macs_of(model(nodes, ROWS, [*packed, constant("v", 64, 3)])) == Macs(10 * 32 * 64 + 10 * 64 * 3)


@pytest.mark.parametrize("large", [8, 4096])
def test_large_initializers_are_counted_like_small_ones(large: int) -> None:
    made = model([node("MatMul", "x w")], {"x": ["n", 8]}, [constant("w", 8, large)])
    assert macs_of(made) == Macs(8 * large)


def test_a_resize_by_a_constant_factor_is_followed() -> None:
    scales = numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales")
    nodes = [node("Resize", "x - scales", "r"), node("Conv", "r w")]
    assert macs_of(model(nodes, IMAGE, [constant("w", 4, 8, 1, 1), scales])) == Macs(20 * 20 * 4 * 8)
