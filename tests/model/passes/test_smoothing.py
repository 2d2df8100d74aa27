from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from edgekit.model.passes.rewriting import rewrite
from edgekit.model.passes.smoothing import SmoothPass
from edgekit.model.passes.weight_products import products_by_input
from edgekit.model.shapes import with_shapes
from edgekit.numerics.compare import relative_difference
from edgekit.runtimes.ort import host_outputs

RANDOM = np.random.default_rng(0)
ARRAYS = {
    "gain": RANDOM.random(8) + 0.5, "shift": RANDOM.random(8), "q": RANDOM.standard_normal((8, 4)),
    "k": RANDOM.standard_normal((8, 6)) * 3, "bias": RANDOM.random(4),
}  # fmt: skip
NORM = helper.make_node("LayerNormalization", ["x", "gain", "shift"], ["n"])


def model_of(nodes: list[NodeProto], outputs: list[str]) -> onnx.ModelProto:
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [3, 8])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(each.astype(np.float32), name) for name, each in ARRAYS.items() if name in used],
    )
    return with_shapes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9))


def product(given: str, weight: str, output: str) -> NodeProto:
    return helper.make_node("MatMul", [given, weight], [output])


Q, K = product("n", "q", "y"), product("n", "k", "z")
RELU = helper.make_node("Relu", ["x"], ["n"])
OF_INPUT = [product("x", "q", "y"), product("x", "k", "z")]


@pytest.mark.parametrize(
    ("nodes", "outputs", "kinds"),
    [
        ([NORM, Q, K], ["y", "z"], ["LayerNormalization", "MatMul", "MatMul"]),
        ([NORM, Q], ["y", "n"], ["LayerNormalization", "Mul", "MatMul"]),
        ([RELU, Q], ["y"], ["Relu", "Mul", "MatMul"]),
        (OF_INPUT, ["y", "z"], ["Mul", "MatMul", "MatMul"]),
    ],
    ids=["a norm takes it in", "a norm that is read", "a Mul", "the graph's input"],
)
def test_channels_are_evened_out_and_outputs_stay(
    nodes: list[NodeProto], outputs: list[str], kinds: list[str], tmp_path: Path
) -> None:
    model = model_of(nodes, outputs)
    name = products_by_input(ir.from_proto(model))[0][0].name
    assert name is not None
    largest = np.array([1, 50, 1, 2, 0, 3, 1, 1], np.float32)
    after = rewrite(model, SmoothPass({name: largest}, 0.8))
    onnx.checker.check_model(after, full_check=True)
    assert [node.op_type for node in after.graph.node] == kinds
    x = (np.random.default_rng(1).standard_normal((3, 8)).astype(np.float32),)
    given = []
    for each, path in ((model, tmp_path / "before.onnx"), (after, tmp_path / "after.onnx")):
        onnx.save(each, path)
        given.append(host_outputs(path, x, optimize=False))
    assert relative_difference(*given) < 1e-5


WIDE = {"q": np.ones((8, 8)), "k": np.ones((8, 9))}


@pytest.mark.parametrize(
    ("nodes", "arrays", "count"),
    [
        ([RELU, Q], {}, 1),
        ([RELU, Q], WIDE, 0),
        ([RELU, Q, K], {"q": WIDE["q"]}, 1),
        ([NORM, Q, K], WIDE, 0),
    ],
    ids=["narrow", "as wide", "one of two is narrow", "a norm takes it in"],
)
def test_what_costs_a_pass_is_left_out_where_it_is_not_wanted_everywhere(
    nodes: list[NodeProto], arrays: dict[str, Any], count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, array in arrays.items():
        monkeypatch.setitem(ARRAYS, name, array)
    model = model_of(nodes, [node.output[0] for node in nodes[1:]])
    largest = {"n": np.linspace(0.5, 40, 8).astype(np.float32)}
    after = rewrite(model, SmoothPass(largest, 0.5, everywhere=False))
    assert sum(node.op_type == "Mul" for node in after.graph.node) == count
    smoothed = any(each.name.startswith("q_smooth") for each in after.graph.initializer)
    assert smoothed is (count == 1 or nodes[0] is NORM)


def test_the_scale_is_the_papers() -> None:
    """By channel max|x|^alpha / max|w|^(1 - alpha), over its geometric mean."""
    largest = np.linspace(0.5, 40, 8).astype(np.float32)
    after = rewrite(model_of([product("x", "q", "y")], ["y"]), SmoothPass({"x": largest}, 0.6))
    stored = {each.name: numpy_helper.to_array(each) for each in after.graph.initializer}
    scale = largest**0.6 / np.abs(ARRAYS["q"]).max(axis=1) ** 0.4
    scale /= np.exp(np.log(scale).mean())
    assert np.allclose(stored["q_smooth"], ARRAYS["q"] * scale[:, None], rtol=1e-4)
    assert np.allclose(stored["x_smoothing"], 1 / scale, rtol=1e-4)


def test_a_name_that_is_taken_is_not_taken_again() -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["n"]),
        helper.make_node("Neg", ["n"], ["n_smooth"]),
        product("n", "q", "y"),
    ]
    model = model_of(nodes, ["y", "n_smooth"])
    after = rewrite(model, SmoothPass({"n": np.ones(8, np.float32)}, 0.5))
    onnx.checker.check_model(after, full_check=True)
