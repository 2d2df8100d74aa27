from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from edgekit.model.passes.integer_moves import IntegerMovesPass
from edgekit.model.passes.rewriting import rewrite
from edgekit.model.shapes import with_shapes
from edgekit.runtimes.ort import host_outputs

CONSTANTS = {
    "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]), "zero": np.array(0, np.float32), "far": np.array(-np.inf, np.float32),
    "half": np.array(0.52, np.float32), "wide": np.array([2, 4, 6, 6]), "times": np.array([1, 1, 2, 1]),
}  # fmt: skip
MOVES = {
    "pad": ("Pad", ["pads"], {}),
    "pad with zero": ("Pad", ["pads", "zero"], {}),
    "pad with a half": ("Pad", ["pads", "half"], {}),
    "reflect": ("Pad", ["pads"], {"mode": "reflect"}),
    "shuffle": ("DepthToSpace", [], {"blocksize": 2}),
    "unshuffle": ("SpaceToDepth", [], {"blocksize": 2}),
    "expand": ("Expand", ["wide"], {}),
    "tile": ("Tile", ["times"], {}),
}


def move(name: str, given: str, output: str) -> NodeProto:
    kind, inputs, attributes = MOVES[name]
    return helper.make_node(kind, [given, *inputs], [output], **attributes)


def quantized(nodes: list[NodeProto], kind: type, second: float = 0.02) -> onnx.ModelProto:
    """x, quantized by one scale, through nodes from d to m, quantized again by a second, to y."""
    (x, y) = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", [2, 4, 6, 6]), ("y", None))
    )
    whole = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        *nodes,
        helper.make_node("QuantizeLinear", ["m", "t", "z"], ["r"]),
        helper.make_node("DequantizeLinear", ["r", "t", "z"], ["e"]),
        helper.make_node("Relu", ["e"], ["y"]),
    ]  # fmt: skip
    used = {name for node in whole for name in node.input}
    zero = np.array(np.iinfo(kind).max // 2, kind)
    arrays = {**CONSTANTS, "s": np.array(0.03, np.float32), "t": np.array(second, np.float32), "z": zero}
    tensors = [numpy_helper.from_array(array, name) for name, array in arrays.items() if name in used]
    model = helper.make_model(
        helper.make_graph(whole, "g", [x], [y], tensors), opset_imports=[helper.make_opsetid("", 17)], ir_version=9
    )
    return with_shapes(model)


def outputs(model: onnx.ModelProto, path: Path) -> np.ndarray:
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    x = np.random.default_rng(0).standard_normal((2, 4, 6, 6)).astype(np.float32)
    return host_outputs(path, (x,))[0]


@pytest.mark.parametrize("kind", [np.int8, np.uint8])
@pytest.mark.parametrize("name", MOVES)
def test_integers_are_moved_and_the_numbers_stay(name: str, kind: type, tmp_path: Path) -> None:
    model = quantized([move(name, "d", "m")], kind, 0.03)
    after = rewrite(model, IntegerMovesPass())
    assert [node.op_type for node in after.graph.node] == [
        "QuantizeLinear", MOVES[name][0], "DequantizeLinear", "Relu"
    ]  # fmt: skip
    assert np.array_equal(outputs(model, tmp_path / "m.onnx"), outputs(after, tmp_path / "m.onnx"))


def test_a_row_of_moves_keeps_the_first_scale(tmp_path: Path) -> None:
    nodes = [move("unshuffle", "d", "a"), move("shuffle", "a", "b"), move("pad", "b", "m")]
    model = quantized(nodes, np.int8)
    after = rewrite(model, IntegerMovesPass())
    assert [node.op_type for node in after.graph.node].count("QuantizeLinear") == 1
    first = quantized(nodes, np.int8, 0.03)
    assert np.array_equal(outputs(after, tmp_path / "m.onnx"), outputs(first, tmp_path / "m.onnx"))


def test_what_the_scale_does_not_reach_is_filled_in_as_floats() -> None:
    pad = helper.make_node("Pad", ["d", "pads", "far"], ["m"])
    model = quantized([pad], np.int8)
    assert rewrite(model, IntegerMovesPass()) == rewrite(model)


def test_floats_that_are_read_elsewhere_stay(tmp_path: Path) -> None:
    nodes = [helper.make_node("Add", ["d", "x"], ["a"]), move("pad", "a", "m")]
    model = quantized(nodes, np.int8)
    assert rewrite(model, IntegerMovesPass()) == rewrite(model), "floats are moved"
    nodes = [move("shuffle", "d", "b"), helper.make_node("Sigmoid", ["b"], ["m"])]
    after = rewrite(quantized(nodes, np.int8), IntegerMovesPass())
    kinds = [node.op_type for node in after.graph.node]
    assert kinds[1:4] == ["DepthToSpace", "DequantizeLinear", "Sigmoid"]
    assert np.array_equal(outputs(after, tmp_path / "m.onnx"), outputs(quantized(nodes, np.int8), tmp_path / "m.onnx"))
