import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.numerics.clipping import lost_clipping, read_by_branches


def graph(nodes: list[onnx.NodeProto], **constants: np.ndarray) -> onnx.ModelProto:
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 4]) for name in ("x", "y")]
    tensors = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    made = helper.make_graph(nodes, "g", ports[:1], ports[1:], tensors)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def quantized(scale: float, zero: int, dtype: type = np.int8) -> onnx.ModelProto:
    nodes = [
        helper.make_node("Neg", ["x"], ["r"], name="neg"),
        helper.make_node("QuantizeLinear", ["r", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    return graph(nodes, s=np.array(scale, np.float32), z=np.array(zero, dtype))


def source(op: str, **bounds: float) -> onnx.ModelProto:
    constants = {name: np.array(value, np.float32) for name, value in bounds.items()}
    names = [name if name in bounds else "" for name in ("min", "max")] if bounds else []
    nodes = [
        helper.make_node("Neg", ["x"], ["n"], name="neg"),
        helper.make_node(op, ["n", *names], ["r"], name="act"),
        helper.make_node("Identity", ["r"], ["y"], name="end"),
    ]
    return graph(nodes, **constants)


@pytest.mark.parametrize(
    ("op", "bounds", "scale", "zero", "dtype", "lost"),
    [
        ("Relu", {}, 1.0, 0, np.int8, True),
        ("Relu", {}, 0.1, -128, np.int8, False),
        ("Relu", {}, 1.0, 0, np.uint8, False),
        ("Relu", {}, 0.1, 3, np.uint8, True),
        ("Clip", {"min": 0.0, "max": 6.0}, 6 / 255, -128, np.int8, False),
        ("Clip", {"min": 0.0, "max": 6.0}, 0.1, -128, np.int8, True),
        ("Clip", {"max": 6.0}, 6 / 127, 0, np.int8, False),
        ("Clip", {"min": -1.0}, 0.1, 0, np.int8, True),
    ],
)
def test_integers_that_reach_further_than_the_activation(
    op: str, bounds: dict[str, float], scale: float, zero: int, dtype: type, lost: bool
) -> None:
    found = lost_clipping(source(op, **bounds), quantized(scale, zero, dtype))
    assert list(found) == (["act"] if lost else [])
    assert all(entry.startswith(f"{op}: r, whose integers represent ") for entry in found.values())


def test_an_activation_that_is_still_there_clips() -> None:
    assert lost_clipping(source("Relu"), source("Relu")) == {}


def test_what_branches_read_is_found(branching: onnx.ModelProto) -> None:
    assert read_by_branches(branching) == {"relu": "Relu: r, which a subgraph of a control-flow operator reads"}
    assert read_by_branches(source("Relu")) == {}
