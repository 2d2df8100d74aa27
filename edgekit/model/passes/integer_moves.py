"""Move quantized values as integers."""

import numpy as np
import onnx_ir as ir

from edgekit.model.passes.conversions import converts, keep_scale, zero_of
from edgekit.model.passes.rewriting import GraphPass, array_of, constant, replace

_KINDS = {"Compress", "DepthToSpace", "Expand", "GatherElements", "GatherND", "Pad", "SpaceToDepth", "Tile"}
"""Data-movement operators with integer kernels that ONNX Runtime leaves between the conversions."""


class IntegerMovesPass(GraphPass):
    """Let data-movement operators move integers instead of dequantized values, and keep the scale if the result is
    quantized again. Values do not change, and one rounding is saved.

    ONNX Runtime removes the conversions around Reshape and Transpose only.
    """

    def apply(self, model: ir.Model) -> None:
        for node in list(model.graph.all_nodes()):
            source = node.inputs[0].producer() if node.inputs and node.inputs[0] is not None else None
            if (
                source is not None
                and converts(source, "DequantizeLinear")
                and node.op_type in _KINDS
                and not node.domain
            ):
                _move_before(model, source, node)


def _move_before(model: ir.Model, source: ir.Node, node: ir.Node) -> None:
    given, scale, zero = source.inputs
    assert given is not None
    inputs = [given, *node.inputs[1:]]
    if node.op_type == "Pad" and node.attributes.get_string("mode", "constant") == "constant":
        fill = _fill(node, source)
        if fill is None:
            return
        inputs[2:3] = [fill]
    moved = ir.node(node.op_type, inputs, dict(node.attributes), name=node.name)
    moved.outputs[0].name = f"{node.outputs[0].name}_moved"
    moved.outputs[0].type, moved.outputs[0].shape = given.type, node.outputs[0].shape
    after = ir.node("DequantizeLinear", [moved.outputs[0], scale, zero])
    replace(model, node, [moved, after])
    keep_scale(after)


def _fill(node: ir.Node, source: ir.Node) -> ir.Value | None:
    """A Pad's fill value as an integer; None if it is unknown or outside the range."""
    value = node.inputs[2] if len(node.inputs) > 2 else None
    if value is None:
        return zero_of(source)
    tensor, scale, offset = (array_of(each) for each in (value, source.inputs[1], zero_of(source)))
    if tensor is None or scale is None or offset is None:
        return None
    filled = tensor / scale + offset
    kind = np.iinfo(offset.dtype)
    if not kind.min - 0.5 <= filled <= kind.max + 0.5:
        return None
    return constant(node, f"{node.outputs[0].name}_fill", np.rint(filled).clip(kind.min, kind.max).astype(kind.dtype))
