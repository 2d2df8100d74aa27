"""Graphs as they come: old and new opsets, weights in odd places, control flow, other inputs; each is built."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from edgekit.builds.build import build
from edgekit.gates.gates import Status
from edgekit.progress import Silent
from edgekit.project.from_file import file_project
from edgekit.target_files import find_target

RANDOM = np.random.default_rng(0)
KERNEL = RANDOM.normal(size=(8, 3, 3, 3)).astype(np.float32)
MATRIX = RANDOM.normal(size=(8, 8)).astype(np.float32)
IMAGES = {"x": RANDOM.normal(size=(40, 3, 8, 8)).astype(np.float32)}
ROWS = {"x": RANDOM.normal(size=(40, 8)).astype(np.float32)}


def tensor(name: str, array: np.ndarray) -> TensorProto:
    return numpy_helper.from_array(array, name)


def port(name: str, *shape: int | str, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, ["batch", *shape])


def model(graph: GraphProto, opset: int = 17) -> ModelProto:
    ir_version = 3 if opset < 9 else 10
    if ir_version == 3:
        graph.input.extend(
            helper.make_tensor_value_info(each.name, each.data_type, each.dims) for each in graph.initializer
        )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version)


def convolution(opset: int) -> ModelProto:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "m", "b"], ["y"]),
    ]
    weights = [tensor("w", KERNEL), tensor("m", MATRIX), tensor("b", np.ones(8, np.float32))]
    return model(helper.make_graph(nodes, "g", [port("x", 3, 8, 8)], [port("y", 8)], weights), opset)


def products(first: NodeProto | None, *weights: TensorProto) -> ModelProto:
    """x times m, a ReLU, times m once more."""
    nodes = [
        *([first] if first else []),
        helper.make_node("MatMul", ["x", "m"], ["a"]),
        helper.make_node("Relu", ["a"], ["r"]),
        helper.make_node("MatMul", ["r", "m"], ["y"]),
    ]
    return model(helper.make_graph(nodes, "g", [port("x", 8)], [port("y", 8)], weights))


def in_constant_nodes() -> ModelProto:
    return products(helper.make_node("Constant", [], ["m"], value=tensor("", MATRIX)))


def of_one_value() -> ModelProto:
    """The weights are ConstantOfShape of a stored shape; x is added so that something is left of it."""
    made = products(
        helper.make_node("ConstantOfShape", ["s"], ["m"], value=tensor("", np.array([0.25], np.float32))),
        tensor("s", np.array([8, 8], np.int64)),
    )
    made.graph.node[-1].output[0] = "z"
    made.graph.node.append(helper.make_node("Add", ["z", "x"], ["y"]))
    return made


def shared_and_unused() -> ModelProto:
    return products(None, tensor("m", MATRIX), tensor("nobody's", MATRIX))


def looped(kind: str) -> ModelProto:
    """A product outside; inside, three times half of what went in."""
    body_ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("in", "out")]
    halved = helper.make_node("Mul", ["in", "half"], ["out"])
    half = tensor("half", np.array(0.5, np.float32))
    if kind == "Loop":
        number = helper.make_tensor_value_info("i", TensorProto.INT64, [])
        flags = [helper.make_tensor_value_info(name, TensorProto.BOOL, []) for name in ("go", "on")]
        nodes = [halved, helper.make_node("Identity", ["go"], ["on"])]
        body = helper.make_graph(nodes, "body", [number, flags[0], body_ports[0]], [flags[1], body_ports[1]], [half])
        node = helper.make_node("Loop", ["three", "", "a"], ["l"], body=body)
    else:
        rows = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("row", "same")]
        nodes = [halved, helper.make_node("Identity", ["row"], ["same"])]
        body = helper.make_graph(nodes, "body", [body_ports[0], rows[0]], [body_ports[1], rows[1]], [half])
        node = helper.make_node("Scan", ["a", "steps"], ["l", "rows"], body=body, num_scan_inputs=1)
    weights = [
        tensor("m", MATRIX),
        tensor("three", np.array(3, np.int64)),
        tensor("steps", np.ones((3, 1), np.float32)),
    ]
    nodes = [helper.make_node("MatMul", ["x", "m"], ["a"]), node, helper.make_node("MatMul", ["l", "m"], ["y"])]
    return model(helper.make_graph(nodes, "g", [port("x", 8)], [port("y", 8)], weights))


def of_numbers() -> ModelProto:
    table = RANDOM.normal(size=(50, 8)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "x"], ["e"]),
        helper.make_node("ReduceMean", ["e"], ["a"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["a", "m"], ["y"]),
    ]
    weights = [tensor("table", table), tensor("m", MATRIX)]
    ids = port("x", 6, kind=TensorProto.INT32)
    return model(helper.make_graph(nodes, "g", [ids], [port("y", 8)], weights))


def of_two_inputs() -> ModelProto:
    nodes = [
        helper.make_node("Concat", ["x", "z"], ["a"], axis=1),
        helper.make_node("MatMul", ["a", "m"], ["y"]),
    ]
    weights = [tensor("m", RANDOM.normal(size=(16, 8)).astype(np.float32))]
    return model(helper.make_graph(nodes, "g", [port("x", 8), port("z", 8)], [port("y", 8)], weights))


NEWEST = min(onnx.defs.onnx_opset_version(), 23)
KINDS: dict[str, tuple[Callable[[], ModelProto], dict[str, np.ndarray]]] = {
    **{f"opset {opset}": (lambda opset=opset: convolution(opset), IMAGES) for opset in (7, 9, 11, 13, 21, NEWEST)},
    "Constant": (in_constant_nodes, ROWS),
    "ConstantOfShape": (of_one_value, ROWS),
    "shared, unused": (shared_and_unused, ROWS),
    "Loop": (lambda: looped("Loop"), ROWS),
    "Scan": (lambda: looped("Scan"), ROWS),
    "int32": (of_numbers, {"x": RANDOM.integers(0, 50, (40, 6), np.int32)}),
    "two inputs": (of_two_inputs, {**ROWS, "z": ROWS["x"][::-1] * 3}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_built(kind: str, tmp_path: Path) -> None:
    make, samples = KINDS[kind]
    onnx.save(make(), tmp_path / "model.onnx")
    np.savez(tmp_path / "samples.npz", **samples)
    project = file_project(tmp_path / "model.onnx", str(tmp_path / "samples.npz"))
    # Whatever it takes where that target is this machine.
    project = project.copy_with(budgets=project.budgets.copy_with(max_latency_ratio=100.0))
    built = build(project, [find_target("x86-vnni")], Silent()).targets
    (drop,) = (gate for gate in built[0].verdict.gates if gate.name == "drop")
    assert drop.status is Status.PASSED, drop.detail
    assert built[0].recipe == "int8", [each.why for each in built[0].rejected_recipes]
