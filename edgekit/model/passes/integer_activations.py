"""Quantized activations expressed by operators with integer kernels."""

from typing import Any

import numpy as np
import onnx_ir as ir

from edgekit.arrays import Array
from edgekit.model.passes.conversions import converts, keep_scale, zero_of
from edgekit.model.passes.rewriting import GraphPass, array_of, constant, replace

_STEPS = 255
"""The number of LSB between the smallest and the largest 8-bit value."""


class IntegerActivationsPass(GraphPass):
    """Replace HardSigmoid and Tanh between conversions by operators for which ONNX Runtime has integer kernels: an
    addition whose range clips, and a Sigmoid of the same integers at twice their scale. The output uses all 8 bits."""

    def apply(self, model: ir.Model) -> None:
        for node in list(model.graph.all_nodes()):
            source = node.inputs[0].producer() if node.inputs and node.inputs[0] is not None else None
            if node.domain or source is None or not converts(source, "DequantizeLinear"):
                continue
            takers = [each.node for each in node.outputs[0].uses()]
            if node.outputs[0].is_graph_output() or not all(converts(each, "QuantizeLinear") for each in takers):
                continue
            if node.op_type == "HardSigmoid":
                _by_sum(model, node, source)
            elif node.op_type == "Tanh":
                _by_sigmoid(model, node, source)


def _by_sum(model: ir.Model, node: ir.Node, source: ir.Node) -> None:
    """max(0, min(1, alpha x + beta)) is alpha times x + beta / alpha, clipped to 0 and 1 / alpha."""
    alpha, beta = node.attributes.get_float("alpha", 0.2), node.attributes.get_float("beta", 0.5)
    if not (alpha > 0 and beta > 0):
        return
    kind = _kind(source)
    shift = _dequantize(
        node, "shift", constant(node, f"{node.name}_one", np.array(1, kind)), beta / alpha, np.array(0, kind)
    )
    total = ir.node("Add", [source.outputs[0], shift.outputs[0]], name=node.name)
    _put(model, node, [shift, total], 1 / (alpha * _STEPS), 1 / _STEPS, 0)


def _by_sigmoid(model: ir.Model, node: ir.Node, source: ir.Node) -> None:
    """tanh x = 2 sigmoid(2 x) - 1."""
    scale, zero = (array_of(each) for each in source.inputs[1:])
    if scale is None or zero is None or source.inputs[0] is None:
        return
    doubled = _dequantize(node, "doubled", source.inputs[0], 2 * float(scale), zero)
    gate = ir.node("Sigmoid", [doubled.outputs[0]], name=node.name)
    _put(model, node, [doubled, gate], 1 / (_STEPS + 1), 2 / (_STEPS + 1), (_STEPS + 1) // 2)


def _put(model: ir.Model, node: ir.Node, new: list[ir.Node], given: float, taken: float, middle: int) -> None:
    """Replace an activation by nodes whose output is quantized with scale `given` and read with scale `taken`, with a
    zero point `middle` above the smallest integer."""
    kind = _kind(next(iter(node.outputs[0].uses())).node)
    least = np.array(np.iinfo(kind).min, kind)
    name = f"{node.outputs[0].name}_integers"
    inner = new[-1].outputs[0]
    inner.name, inner.type, inner.shape = f"{name}_from", node.outputs[0].type, node.outputs[0].shape
    rounded = ir.node("QuantizeLinear", [inner, *_conversion(node, f"{name}_given", given, least)])
    rounded.outputs[0].name, rounded.outputs[0].shape = name, node.outputs[0].shape
    rounded.outputs[0].type = ir.TensorType(ir.DataType.from_numpy(np.dtype(kind)))
    after = _dequantize(node, "taken", rounded.outputs[0], taken, np.array(int(least) + middle, kind))
    replace(model, node, [*new, rounded, after])
    keep_scale(after)


def _dequantize(node: ir.Node, part: str, given: ir.Value, scale: float, zero: Array) -> ir.Node:
    name = f"{node.outputs[0].name}_{part}"
    made = ir.node("DequantizeLinear", [given, *_conversion(node, name, scale, zero)])
    made.outputs[0].name, made.outputs[0].shape = name, given.shape
    made.outputs[0].type = ir.TensorType(ir.DataType.FLOAT)
    return made


def _conversion(node: ir.Node, name: str, scale: float, zero: Array) -> list[ir.Value]:
    return [constant(node, f"{name}_scale", np.array(scale, np.float32)), constant(node, f"{name}_zero_point", zero)]


def _kind(conversion: ir.Node) -> np.dtype[Any]:
    """The integer type of a conversion."""
    kind = zero_of(conversion).dtype
    assert kind is not None
    return kind.numpy()
