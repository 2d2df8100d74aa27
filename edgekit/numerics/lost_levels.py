"""Quantization levels that remain of a tensor's values."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from onnx import ModelProto, numpy_helper

from edgekit.arrays import Array

_STEPS = 255
_FEW, _MANY = 4, 16
_GLANCE = 4096
"""The number of values that usually suffice to show that enough levels remain."""

_MERGED = {"Concat": slice(None), "Where": slice(1, 3)}
"""The inputs that one scale must cover, by operator."""

_CARRYING = {
    "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Concat", "Expand", "Tile", "Pad", "Cast",
    "Add", "Sub", "Mul", "Div", "Clip", "Relu",
}  # fmt: skip
"""Operators that keep values of different magnitudes side by side."""


def collapsed_tensors(tensors: Mapping[str, Array]) -> dict[str, str]:
    """The tensors, of any shape, of which one 8-bit scale leaves almost no levels, by name, with the reason.

    Additive masks cause this: beside -inf, the lowest float, or -10,000, all scores share one level. A tensor counts as
    collapsed if it has more than 16 different values and at most 4 of 256 levels remain, and if it is not finite.
    """
    return {name: result for name, array in tensors.items() if (result := _describe_collapse(array))}


def mixed_range_tensors(model: ModelProto, tensors: Mapping[str, Array]) -> dict[str, str]:
    """The tensors in which one 8-bit scale would collapse an input that an operator merged, by name, with the reason,
    and the tensors that carry them on.

    An example is class scores (0 to 1) beside boxes (0 to 640): the total error is small, and all scores become 0.
    """
    constants = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    known = {**constants, **tensors}
    found: dict[str, str] = {}
    for node in model.graph.node:
        if node.op_type in _MERGED:
            result = _merged_inputs(known, node.input[_MERGED[node.op_type]])
        elif node.op_type in ("Gather", "GatherElements"):
            result = _mixed_table(known.get(node.input[0]))
        else:
            result = ""
        if node.op_type in _CARRYING:
            result = result or next((found[name] for name in node.input if name in found), "")
        if result and node.output[0] in tensors:
            found[node.output[0]] = result
    return found


def nodes_beside(model: ModelProto, tensors: Mapping[str, str]) -> dict[str, str]:
    """The nodes that read or write one of the tensors, by name, with the reason."""
    found = {}
    for node in model.graph.node:
        touched = [name for name in (*node.input, *node.output) if name in tensors]
        if touched:
            found[node.name] = f"{node.op_type}: {touched[0]}, {tensors[touched[0]]}"
    return found


def nodes_behind(model: ModelProto, tensors: Mapping[str, str], rounded: Collection[str]) -> dict[str, str]:
    """The nodes that produce the inputs of the tensors' producers, back to a tensor that is `rounded`, by name, with
    the reason."""
    makers = {name: node for node in model.graph.node for name in node.output}
    found: dict[str, str] = {}
    for tensor, entry in tensors.items():
        left = list(makers[tensor].input) if tensor in makers else []
        while left:
            name = left.pop()
            node = makers.get(name)
            if node is not None and node.name not in found:
                found[node.name] = f"{node.op_type}: before {tensor}, {entry}"
                left += [] if name in rounded else node.input
    return found


def _describe_collapse(array: Array) -> str:
    if not array.size:
        return ""
    low, high = float(array.min()), float(array.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        return "not finite"
    return _describe_levels(array, min(low, 0.0), max(high, 0.0))


def _describe_levels(array: Array, low: float, high: float) -> str:
    """What remains of the values on the levels from `low` to `high`, if that is almost nothing."""
    values = array.reshape(-1)
    if len(_levels(values[:: max(1, len(values) // _GLANCE)], low, high)) > _FEW:
        return ""  # so nor of all values
    distinct = np.unique(values)
    if len(distinct) <= _MANY:
        return ""
    left = len(_levels(distinct, low, high))
    return f"{left} of {len(distinct):,} values left" if left <= _FEW else ""


def _levels(values: Array, low: float, high: float) -> Array:
    """The levels from `low` to `high` that the values are rounded to."""
    found: Array = np.unique(np.round((values.astype(np.float64) - low) / ((high - low) or 1.0) * _STEPS))
    return found


def _merged_inputs(known: Mapping[str, Array], names: Sequence[str]) -> str:
    arrays = [known[name] for name in names if name in known]
    arrays = [each.astype(np.float64) for each in arrays if each.dtype.kind == "f" and each.size]
    if len(arrays) < 2 or not all(np.isfinite(each).all() for each in arrays):
        return ""
    low, high = min(0.0, *(each.min() for each in arrays)), max(0.0, *(each.max() for each in arrays))
    return next((result for each in arrays if (result := _describe_levels(each, low, high))), "")


def _mixed_table(table: Array | None) -> str:
    if table is None or table.dtype.kind != "f" or table.size == 0 or not np.isfinite(table).all():
        return ""
    low, high = min(0.0, float(table.min())), max(0.0, float(table.max()))
    for axis in range(table.ndim):
        others = tuple(each for each in range(table.ndim) if each != axis)
        narrow = np.flatnonzero(np.ptp(table, others) < _FEW * (high - low) / _STEPS)
        items = (_describe_levels(np.take(table, index, axis).astype(np.float64), low, high) for index in narrow)
        if found := next((each for each in items if each), ""):
            return found
    return ""
