from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgekit.numerics.layerwise import layer_lsb_errors, layer_sqnr


def saved(path: Path, nodes: list[onnx.NodeProto], **constants: np.ndarray) -> Path:
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 8]) for name in ("x", "y")]
    tensors = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


X = np.random.default_rng(0).standard_normal((32, 8)).astype(np.float32)
CHAIN = [
    helper.make_node("Add", ["x", "one"], ["a"]),
    helper.make_node("Relu", ["a"], ["b"]),
    helper.make_node("Mul", ["b", "b"], ["c"]),
    helper.make_node("Sqrt", ["c"], ["y"]),
]
ONE = np.ones((), np.float32)


def test_a_fault_shows_where_it_is_and_not_behind(tmp_path: Path) -> None:
    wrong = [CHAIN[0], helper.make_node("Sigmoid", ["a"], ["b"]), *CHAIN[2:]]
    paths = saved(tmp_path / "a.onnx", CHAIN, one=ONE), saved(tmp_path / "b.onnx", wrong, one=ONE)
    noise = layer_sqnr(*paths, (X,))
    assert list(noise) == ["x", "a", "b", "c", "y"]
    assert noise["b"] < 1
    assert {name for name, found in noise.items() if found == np.inf} == {"x", "a", "c", "y"}


def test_what_readers_get_counts_not_what_was_rounded(tmp_path: Path) -> None:
    """256 levels over 1,000 leave next to nothing of a, nor of what is made of that; what is behind is right."""
    rounded = [
        CHAIN[0],
        helper.make_node("QuantizeLinear", ["a", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("Relu", ["d"], ["b"]),
        *CHAIN[2:],
    ]
    grid = {"one": ONE, "s": np.array(4, np.float32), "z": np.array(0, np.int8)}
    paths = saved(tmp_path / "a.onnx", CHAIN, one=ONE), saved(tmp_path / "b.onnx", rounded, **grid)
    noise = layer_sqnr(*paths, (X,))
    assert noise["a"] < 5 and noise["b"] < 5
    assert {name for name, found in noise.items() if found == np.inf} == {"x", "c", "y"}


def test_what_is_made_of_nothing_finite_is_the_fault_of_what_came_before(tmp_path: Path) -> None:
    """Of variances that are rounded to 0 the reciprocal is infinite, and so is what is made of that."""
    chain = [
        helper.make_node("Mul", ["x", "x"], ["v"]),
        helper.make_node("Reciprocal", ["v"], ["r"]),
        helper.make_node("Mul", ["r", "one"], ["y"]),
    ]
    rounded = [
        chain[0],
        helper.make_node("QuantizeLinear", ["v", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("Reciprocal", ["d"], ["r"]),
        chain[2],
    ]
    grid = {"one": ONE, "s": np.array(0.1, np.float32), "z": np.array(0, np.int8)}
    paths = saved(tmp_path / "a.onnx", chain, one=ONE), saved(tmp_path / "b.onnx", rounded, **grid)
    noise = layer_sqnr(*paths, (X,))
    assert noise["v"] > 20 and noise["r"] == -np.inf and noise["y"] == np.inf


def test_an_operator_that_is_gone_shows_at_the_next_tensor_that_both_have(tmp_path: Path) -> None:
    without = [CHAIN[0], helper.make_node("Mul", ["a", "a"], ["c"]), CHAIN[3]]
    paths = saved(tmp_path / "a.onnx", CHAIN, one=ONE), saved(tmp_path / "b.onnx", without, one=ONE)
    noise = layer_sqnr(*paths, (X,))
    assert list(noise) == ["x", "a", "c", "y"]
    assert noise["c"] < 20 and noise["y"] == np.inf


def test_integer_steps_are_counted_where_they_are_lost(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("Add", ["d", "shift"], ["b"]),
        helper.make_node("QuantizeLinear", ["b", "s", "z"], ["r"]),
        helper.make_node("DequantizeLinear", ["r", "s", "z"], ["e"]),
        helper.make_node("QuantizeLinear", ["e", "s", "z"], ["t"]),
        helper.make_node("DequantizeLinear", ["t", "s", "z"], ["y"]),
    ]
    grid = {"s": np.array(0.1, np.float32), "z": np.array(0, np.int8)}
    paths = [
        saved(tmp_path / f"{shift}.onnx", nodes, shift=np.array(shift / 10, np.float32), **grid) for shift in (0, 3)
    ]
    assert layer_lsb_errors(paths[0], paths[0], (X,)) == {"q": 0, "r": 0, "t": 0}
    assert layer_lsb_errors(*paths, (X,)) == {"q": 0, "r": 3, "t": 0}
