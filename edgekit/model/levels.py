"""What is left of a tensor's values on an integer grid."""

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir
from onnx import ModelProto

from edgekit.arrays import Array
from edgekit.model.shapes import with_shapes

_FLOATS = {ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.DOUBLE}
_STEPS = 255
_FEW, _MANY = 4, 16


def exposed(model: ModelProto) -> ModelProto:
    """The model with every float tensor that an operator gives among its outputs, but for those inside control flow."""
    inside = ir.from_proto(with_shapes(model))
    made = [value for node in inside.graph for value in node.outputs if value.name and value.dtype in _FLOATS]
    given = set(inside.graph.outputs)
    inside.graph.outputs.extend(value for value in made if value not in given)
    return ir.to_proto(inside)


def wiped_tensors(tensors: Mapping[str, Array]) -> dict[str, str]:
    """The tensors of which one scale of 8 bits leaves next to nothing, by name, and what becomes of them.

    That is what additive masks do: beside -inf, or the lowest float, or -10,000, the scores that they are added to
    share one level. A tensor of more than 16 different values that has at most 4 of 256 levels left counts as wiped;
    so does one that is not finite, whose scale would not be either.
    """
    return {name: told for name, array in tensors.items() if (told := _wiped(array))}


def nodes_beside(model: ModelProto, tensors: Mapping[str, str]) -> dict[str, str]:
    """The nodes that take or give one of the tensors, by name, and what would become of it."""
    found = {}
    for node in model.graph.node:
        touched = [name for name in (*node.input, *node.output) if name in tensors]
        if touched:
            found[node.name] = f"{node.op_type}: {touched[0]}, {tensors[touched[0]]}"
    return found


def _wiped(array: Array) -> str:
    values = np.unique(array.astype(np.float64))
    if not np.isfinite(values).all():
        return "not finite"
    if len(values) <= _MANY:
        return ""
    low, high = min(values[0], 0.0), max(values[-1], 0.0)
    left = len(np.unique(np.round((values - low) / (high - low) * _STEPS)))
    return f"{left} of {len(values):,} values left" if left <= _FEW else ""
