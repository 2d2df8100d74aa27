"""Activations that quantization removes because the quantized range clips in their place."""

import numpy as np
import onnx_ir as ir
from onnx import ModelProto, NodeProto, numpy_helper

from edgekit.arrays import Array

_CLIPPING = ("Relu", "Clip")


def read_by_branches(model: ModelProto) -> dict[str, str]:
    """The activations that a subgraph of a control-flow operator reads, directly or past them, by name, with the reason
    to keep them: a quantizer that reads only the outer graph does not see such a reader."""
    outer = ir.from_proto(model).graph
    return {
        str(node.name): f"{node.op_type}: {value.name}, which a subgraph of a control-flow operator reads"
        for node in outer
        if node.op_type in _CLIPPING
        for value in (node.inputs[0], node.outputs[0])
        if value is not None and any(use.node.graph is not outer for use in value.uses())
    }


def lost_clipping(source: ModelProto, quantized: ModelProto) -> dict[str, str]:
    """The activations of `source` that are missing in `quantized` although the range in their place does not clip as
    they do, by name, with the range.

    A ReLU whose input was never positive during calibration gets scale 1 and zero point 0: with signed integers,
    everything down to -128 passes.
    """
    there = {node.name for node in quantized.graph.node}
    grids = _grids(quantized)
    constants = {each.name: numpy_helper.to_array(each) for each in source.graph.initializer}
    found = {}
    for node in source.graph.node:
        if node.op_type not in _CLIPPING or node.name in there or node.output[0] not in grids:
            continue
        step, lowest, highest = grids[node.output[0]]
        low, high = _bounds(node, constants)
        if lowest < low - step / 2 or highest > high + step / 2:
            found[node.name] = f"{node.op_type}: {node.output[0]}, whose integers represent {lowest:g} to {highest:g}"
    return found


def _grids(model: ModelProto) -> dict[str, tuple[float, float, float]]:
    """Scale, lowest and highest value of each tensor that is quantized with one scale."""
    constants = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    found = {}
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear" and all(name in constants for name in node.input[1:]):
            scale = constants[node.input[1]]
            zero = constants[node.input[2]] if len(node.input) > 2 else np.zeros((), np.uint8)
            if scale.size == zero.size == 1:
                limits, step, middle = np.iinfo(zero.dtype), float(scale.item()), int(zero.item())
                found[node.input[0]] = (step, (limits.min - middle) * step, (limits.max - middle) * step)
    return found


def _bounds(node: NodeProto, constants: dict[str, Array]) -> tuple[float, float]:
    if node.op_type == "Relu":
        return 0.0, float("inf")
    values = {each.name: each.f for each in node.attribute}
    for name, position in (("min", 1), ("max", 2)):
        if len(node.input) > position and node.input[position] in constants:
            values[name] = float(constants[node.input[position]].item())
    return values.get("min", float("-inf")), values.get("max", float("inf"))
