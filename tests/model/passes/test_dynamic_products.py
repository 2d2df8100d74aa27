from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.model.passes.dynamic_products import BlockProductsPass, DynamicProductsPass, IntegerTablesPass
from edgekit.model.passes.rewriting import rewrite
from edgekit.model.shapes import with_shapes
from edgekit.numerics.compare import signal_to_noise
from edgekit.runtimes.ort import host_outputs, optimize_offline

RANDOM = np.random.default_rng(0)


def model_of(*, shared: bool) -> onnx.ModelProto:
    """A table, and the products of its rows with one matrix or with two."""
    arrays = {
        "table": RANDOM.standard_normal((256, 32)), "q": RANDOM.standard_normal((32, 16)) * RANDOM.random(16) * 9,
        "k": RANDOM.standard_normal((32, 16)), "bias": RANDOM.random(16),
    }  # fmt: skip
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["rows"]),
        helper.make_node("MatMul", ["rows", "q"], ["a"]),
        helper.make_node("Add", ["a", "bias"], ["y"]),
        *([helper.make_node("MatMul", ["rows", "k"], ["z"])] if shared else []),
    ]
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["n", 5])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("y", "z")[: 1 + shared]],
        [numpy_helper.from_array(each.astype(np.float32), name) for name, each in arrays.items() if name in used],
    )
    return with_shapes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9))


@pytest.mark.parametrize("reduced", [False, True])
@pytest.mark.parametrize("shared", [False, True])
def test_the_runtime_fuses_them_and_little_is_lost(shared: bool, reduced: bool, tmp_path: Path) -> None:
    model = model_of(shared=shared)
    after = rewrite(model, IntegerTablesPass(), DynamicProductsPass(reduced=reduced))
    onnx.checker.check_model(after, full_check=True)
    kinds = [node.op_type for node in after.graph.node]
    assert kinds.count("DynamicQuantizeLinear") == 1, "one range for all that share it"
    stored = [numpy_helper.to_array(each) for each in after.graph.initializer if each.name.endswith("_integers")]
    assert {each.dtype for each in stored} == {np.dtype(np.int8)}
    largest = max(int(np.abs(each.astype(int)).max()) for each in stored if each.shape[0] == 32)
    assert largest == (64 if reduced else 127)
    for each, path in ((model, tmp_path / "before.onnx"), (after, tmp_path / "after.onnx")):
        onnx.save(each, path)
    optimize_offline(tmp_path / "after.onnx", tmp_path / "fused.onnx", keep_int8_activations=False)
    fused = {node.op_type for node in onnx.load(tmp_path / "fused.onnx").graph.node}
    assert ("MatMulIntegerToFloat" if shared else "DynamicQuantizeMatMul") in fused
    assert not fused & {"MatMul", "MatMulInteger"}
    ids = (np.random.default_rng(0).integers(0, 256, (4, 5)),)
    expected = host_outputs(tmp_path / "before.onnx", ids)
    for name in ("after", "fused"):
        for pair in zip(expected, host_outputs(tmp_path / f"{name}.onnx", ids), strict=True):
            assert signal_to_noise(*pair) > 32


def test_tables_that_are_small_or_read_otherwise_stay() -> None:
    model = model_of(shared=False)
    model.graph.node.append(helper.make_node("MatMul", ["table", "q"], ["z"]))
    model.graph.output.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, None))
    assert rewrite(model, IntegerTablesPass()) == rewrite(model)
    small = model_of(shared=False)
    table = next(each for each in small.graph.initializer if each.name == "table")
    table.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(table)[:64], "table"))
    assert rewrite(small, IntegerTablesPass()) == rewrite(small)


def test_products_inside_branches_are_quantized_each_in_its_own(tmp_path: Path) -> None:
    """What both branches multiply is rounded in each: neither sees into the other."""
    weights = RANDOM.standard_normal((8, 4)).astype(np.float32)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 4])
    branches = [
        helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], ["y"])], name, [], [y], [numpy_helper.from_array(each, "w")]
        )
        for name, each in (("then", weights), ("else", -weights))
    ]
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], keepdims=0),
        helper.make_node("Greater", ["mean", "nought"], ["bright"]),
        helper.make_node("If", ["bright"], ["y"], then_branch=branches[0], else_branch=branches[1]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 8])
    graph = helper.make_graph(nodes, "g", [x], [y], [numpy_helper.from_array(np.float32(0), "nought")])
    model = with_shapes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9))
    after = rewrite(model, DynamicProductsPass(reduced=False))
    onnx.checker.check_model(after, full_check=True)
    for each, path in ((model, tmp_path / "before.onnx"), (after, tmp_path / "after.onnx")):
        onnx.save(each, path)
    for sign in (1, -1):
        given = (sign * np.abs(RANDOM.standard_normal((2, 8))).astype(np.float32),)
        before, quantized = (host_outputs(tmp_path / f"{name}.onnx", given)[0] for name in ("before", "after"))
        assert signal_to_noise(before, quantized) > 30


def _feed_forward(inner: int) -> onnx.ModelProto:
    """x (n, 5, 32) through one product to (n, 5, inner), a ReLU, and a second one back; opset 21. One of the inner
    channels is fifty times as large as the others."""
    random = np.random.default_rng(0)
    arrays = {"w": random.standard_normal((32, inner)), "v": random.standard_normal((inner, 32))}
    arrays["w"][:, 0] *= 50
    arrays["v"][0] /= 50
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Relu", ["a"], ["r"]),
        helper.make_node("MatMul", ["r", "v"], ["y"]),
    ]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 5, 32]) for name in "xy"]
    tensors = [numpy_helper.from_array(each.astype(np.float32), name) for name, each in arrays.items()]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], tensors)
    return with_shapes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10))


@pytest.mark.parametrize(("inner", "size"), [(384, 128), (192, 64), (96, 32)])
def test_the_second_of_a_feed_forward_block_in_blocks(inner: int, size: int, tmp_path: Path) -> None:
    model = _feed_forward(inner)
    after = rewrite(model, BlockProductsPass())
    onnx.checker.check_model(after, full_check=True)
    (floats,) = (node for node in after.graph.node if node.op_type == "DequantizeLinear")
    assert {each.name: each.i for each in floats.attribute} == {"axis": 0, "block_size": size}
    whole = rewrite(after, DynamicProductsPass(reduced=False))
    alone = rewrite(model, DynamicProductsPass(reduced=False))
    for name, each in (("before", model), ("blocks", whole), ("alone", alone)):
        onnx.save(each, tmp_path / f"{name}.onnx")
    optimize_offline(tmp_path / "blocks.onnx", tmp_path / "fused.onnx", keep_int8_activations=False)
    kinds = [node.op_type for node in onnx.load(tmp_path / "fused.onnx").graph.node]
    assert kinds.count("MatMulNBits") == kinds.count("DynamicQuantizeMatMul") == 1
    x = (np.random.default_rng(0).standard_normal((4, 5, 32)).astype(np.float32),)
    (expected,) = host_outputs(tmp_path / "before.onnx", x)
    files = (tmp_path / name for name in ("fused.onnx", "alone.onnx"))
    blocks, plain = (signal_to_noise(expected, *host_outputs(each, x)) for each in files)
    assert blocks > plain + 3


def test_a_column_that_no_block_divides_stays() -> None:
    model = _feed_forward(100)
    assert rewrite(model, BlockProductsPass()) == rewrite(model)
