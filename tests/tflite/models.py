"""ONNX models of a few operators, in floats and in QDQ form, and what TFLite's runtimes make of the files written."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from edgekit.arrays import Array
from edgekit.tflite.writing import WrittenModel, write_model

node = helper.make_node
RUNTIMES = [name for name in ("tflite_runtime", "ai_edge_litert") if find_spec(name)]
needs_runtime = pytest.mark.skipif(
    "ai_edge_litert" not in RUNTIMES, reason="the extra litert, which writes .tflite files, is not installed"
)
Consts = Mapping[str, Array]


def floats(shape: Sequence[int], nodes: Sequence[NodeProto], constants: Consts | None = None) -> ModelProto:
    """A float model from `x` to `y`."""
    stored = [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        stored,
    )
    return onnx.shape_inference.infer_shapes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    )


def integers(
    shape: Sequence[int],
    nodes: Sequence[NodeProto],
    constants: Consts | None = None,
    *,
    given: tuple[float, int] = (0.03, -5),
    made: tuple[float, int] = (0.04, -11),
    kind: type = np.int8,
) -> ModelProto:
    """A model in QDQ form from `x` by way of `xd`, what stands for integers, and `yd` to `y`; scales and zero points
    as told, those as int8."""
    shift = 128 if kind is np.uint8 else 0
    scales = {
        f"{part}{side}": value
        for side, (scale, zero) in (("0", given), ("1", made))
        for part, value in (("s", np.array(scale, np.float32)), ("z", np.array(zero + shift, kind)))
    }
    around = [
        node("QuantizeLinear", ["x", "s0", "z0"], ["xq"]),
        node("DequantizeLinear", ["xq", "s0", "z0"], ["xd"]),
        *nodes,
        node("QuantizeLinear", ["yd", "s1", "z1"], ["yq"]),
        node("DequantizeLinear", ["yq", "s1", "z1"], ["y"]),
    ]
    return floats(shape, around, {**(constants or {}), **scales})


def weights(shape: Sequence[int], axis: int = 0, scale: float = 0.01) -> tuple[list[NodeProto], dict[str, Array]]:
    """Constant int8 weights `wd` with a scale for each channel, and a bias `b`."""
    rng = np.random.default_rng(1)
    channels = shape[axis]
    constants = {
        "w": rng.integers(-127, 128, shape).astype(np.int8),
        "sw": (scale * (0.2 + rng.random(channels))).astype(np.float32),
        "zw": np.zeros(channels, np.int8),
        "b": rng.normal(size=channels).astype(np.float32),
    }
    return [node("DequantizeLinear", ["w", "sw", "zw"], ["wd"], axis=axis)], constants


def samples(model: ModelProto, count: int = 4, seed: int = 0) -> list[Array]:
    rng = np.random.default_rng(seed)
    shape = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    return [rng.normal(size=shape).astype(np.float32) for _ in range(count)]


def expected(model: ModelProto, inputs: Sequence[Array]) -> list[Array]:
    """What ONNX Runtime makes of the inputs, as the graph is written."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    running = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return [running.run(None, {"x": each})[0] for each in inputs]


def interpreters(data: bytes) -> dict[str, Any]:
    """A runtime each, with its own kernels and with XNNPACK's where it has those."""
    import importlib

    found = {}
    for name in RUNTIMES:
        module = importlib.import_module(f"{name}.interpreter")
        for kind in ("BUILTIN_WITHOUT_DEFAULT_DELEGATES", "AUTO"):
            running = module.Interpreter(
                model_content=data, experimental_op_resolver_type=getattr(module.OpResolverType, kind)
            )
            running.allocate_tensors()
            found[f"{name} {kind}"] = running
    return found


def run(running: Any, made: WrittenModel, given: Array, *, ports: tuple[str, str] = ("x", "y")) -> Array:
    """One run of an interpreter, input and output with their axes as in the ONNX model."""
    order, back = (made.orders.get(name) for name in ports)
    running.set_tensor(running.get_input_details()[0]["index"], given.transpose(order) if order else given)
    running.invoke()
    found = running.get_tensor(running.get_output_details()[0]["index"])
    return np.asarray(found.transpose(np.argsort(back)) if back else found)


def apart(model: ModelProto, **options: bool) -> dict[str, float]:
    """How far the runtimes' outputs lie from ONNX Runtime's at most: in integer steps where there are such."""
    inputs, made = samples(model), write_model(model, **options)
    step = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}.get("s1", np.array(1.0))
    wanted = expected(model, inputs)
    return {
        name: max(float(np.abs(run(running, made, x) - y).max()) for x, y in zip(inputs, wanted, strict=True)) / step
        for name, running in interpreters(made.data).items()
    }


def kinds(made: WrittenModel) -> list[str]:
    return [each.kind for each in made.graph.operators]


def check_floats(model: ModelProto, *wanted: str) -> None:
    """Every runtime gives what ONNX Runtime does, by these operators."""
    assert kinds(write_model(model)) == list(wanted)
    assert all(each < 2e-5 for each in apart(model).values()), apart(model)


def check_integers(model: ModelProto, *wanted: str, steps: float = 1.0) -> None:
    """The same of integers, by these operators between QUANTIZE and DEQUANTIZE: one step apart at most."""
    assert kinds(write_model(model)) == ["QUANTIZE", *wanted, "DEQUANTIZE"]
    assert all(each < steps + 0.01 for each in apart(model).values()), apart(model)
