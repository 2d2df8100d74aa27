"""Rewrite operators into forms with integer kernels."""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from edgekit.model.passes.rewriting import GraphPass, array_of, constant, replace

_HARD_SWISH = {"alpha": 1 / 6, "beta": 0.5}


class IntegerFormsPass(GraphPass):
    """Rewrite what ONNX Runtime computes in float only: a batch norm that no convolution absorbs becomes a depthwise
    convolution, Max(x, 0) becomes Relu, PRelu with one slope becomes LeakyRelu, HardSwish becomes its product. An
    AveragePool that rounds its shape up and counts padding pads separately: its integer kernel divides by other counts
    than the float one."""

    def apply(self, model: ir.Model) -> None:
        for node in list(model.graph.all_nodes()):
            made = _FORMS[node.op_type](node) if node.op_type in _FORMS and not node.domain else None
            if made:
                replace(model, node, made)


def _of_channels(node: ir.Node) -> list[ir.Node] | None:
    """For a batch norm, which scales and shifts each channel."""
    given = node.inputs[0]
    gamma, beta, mean, variance = (array_of(each) for each in node.inputs[1:])
    if given is None or given.shape is None or given.shape.rank() not in (3, 4) or len(node.outputs) > 1:
        return None
    if gamma is None or beta is None or mean is None or variance is None or gamma.dtype != np.float32:
        return None
    factor = gamma / np.sqrt(variance + node.attributes.get_float("epsilon", 1e-5))
    weight = factor.reshape(-1, *[1] * (given.shape.rank() - 1)).astype(np.float32)
    name = node.outputs[0].name
    inputs = [given, constant(node, f"{name}_factor", weight), constant(node, f"{name}_shift", beta - mean * factor)]
    return [ir.node("Conv", inputs, {"group": len(factor)}, name=node.name)]


def _of_relu(node: ir.Node) -> list[ir.Node] | None:
    """For a maximum with zero."""
    arrays = [array_of(each) for each in node.inputs]
    others = [each for each, array in zip(node.inputs, arrays, strict=True) if array is None]
    if len(node.inputs) != 2 or len(others) != 1:
        return None
    nought = next(array for array in arrays if array is not None)
    return [ir.node("Relu", others, name=node.name)] if nought.size == 1 and not nought.any() else None


def _of_leaky_relu(node: ir.Node) -> list[ir.Node] | None:
    """For a PRelu with one slope."""
    slope = array_of(node.inputs[1])
    if slope is None or (slope != slope.flat[0]).any():
        return None
    return [ir.node("LeakyRelu", node.inputs[:1], {"alpha": float(slope.flat[0])}, name=node.name)]


def _of_hard_sigmoid(node: ir.Node) -> list[ir.Node] | None:
    """For a HardSwish."""
    given = node.inputs[0]
    gate = ir.node("HardSigmoid", [given], _HARD_SWISH, name=f"{node.name}_gate")
    gate.outputs[0].name = f"{node.outputs[0].name}_gate"
    gate.outputs[0].type, gate.outputs[0].shape = node.outputs[0].type, node.outputs[0].shape
    return [gate, ir.node("Mul", [given, gate.outputs[0]], name=node.name)]


def _of_pad(node: ir.Node) -> list[ir.Node] | None:
    """For an AveragePool that rounds its shape up and counts padding."""
    given, options = node.inputs[0], {name: each.value for name, each in node.attributes.items()}
    rounds_up, counts = (node.attributes.get_int(name, 0) for name in ("ceil_mode", "count_include_pad"))
    automatic = node.attributes.get_string("auto_pad", "NOTSET") != "NOTSET"
    if given is None or given.shape is None or not (rounds_up and counts) or automatic:
        return None
    options.pop("count_include_pad")
    around, name = list(options.pop("pads", ())), node.outputs[0].name
    if not any(around):
        return [ir.node("AveragePool", [given], options, name=node.name)]
    half = len(around) // 2
    ends = np.array([0, 0, *around[:half], 0, 0, *around[half:]], np.int64)
    padded = ir.node("Pad", [given, constant(node, f"{name}_pads", ends)], name=f"{node.name}_pad")
    padded.outputs[0].name, padded.outputs[0].type = f"{name}_padded", node.outputs[0].type
    return [padded, ir.node("AveragePool", padded.outputs, options, name=node.name)]


_FORMS: dict[str, Callable[[ir.Node], list[ir.Node] | None]] = {
    "AveragePool": _of_pad,
    "BatchNormalization": _of_channels,
    "Max": _of_relu,
    "PRelu": _of_leaky_relu,
    "HardSwish": _of_hard_sigmoid,
}
