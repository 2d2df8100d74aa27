"""What is left of a tensor's values on an integer grid."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from onnx import ModelProto, numpy_helper

from edgekit.arrays import Array

_STEPS = 255
_FEW, _MANY = 4, 16
_GLANCE = 4096
"""Values that mostly show by themselves that more levels are left."""

_MERGED = {"Concat": slice(None), "Where": slice(1, 3)}
"""The inputs that one scale must hold together, by operator."""

_CARRYING = {
    "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Concat", "Expand", "Tile", "Pad", "Cast",
    "Add", "Sub", "Mul", "Div", "Clip", "Relu",
}  # fmt: skip
"""Operators that leave values of very different sizes side by side."""


def collapsed_tensors(tensors: Mapping[str, Array]) -> dict[str, str]:
    """The tensors of which one scale of 8 bits leaves next to nothing, by name, and what becomes of them.

    That is what additive masks do: beside -inf, or the lowest float, or -10,000, the scores that they are added to
    share one level. A tensor of more than 16 different values that has at most 4 of 256 levels left counts as wiped;
    so does one that is not finite, whose scale would not be either.
    """
    return {name: result for name, array in tensors.items() if (result := _collapsed(array))}


def mixed_range_tensors(model: ModelProto, tensors: Mapping[str, Array]) -> dict[str, str]:
    """The tensors in which one scale of 8 bits would wipe what an operator merged into them, by name, and what becomes
    of it; and what carries them on.

    So it goes with class scores (0 to 1) beside boxes (0 to 640), or with a table whose columns have such ranges: the
    error of the whole is small, and the scores are all 0.
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
    """The nodes that take or give one of the tensors, by name, and what would become of it."""
    found = {}
    for node in model.graph.node:
        touched = [name for name in (*node.input, *node.output) if name in tensors]
        if touched:
            found[node.name] = f"{node.op_type}: {touched[0]}, {tensors[touched[0]]}"
    return found


def nodes_behind(model: ModelProto, tensors: Mapping[str, str], rounded: Collection[str]) -> dict[str, str]:
    """The nodes that make what the tensors' own makers read, back to where something is `rounded`, by name, and what
    would become of the tensors."""
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


def _collapsed(array: Array) -> str:
    if not array.size:
        return ""
    low, high = float(array.min()), float(array.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        return "not finite"
    return _levels_left(array, min(low, 0.0), max(high, 0.0))


def _levels_left(array: Array, low: float, high: float) -> str:
    """What the grid from `low` to `high` leaves of values, where that is next to nothing."""
    values = array.reshape(-1)
    if len(_levels(values[:: max(1, len(values) // _GLANCE)], low, high)) > _FEW:
        return ""  # nor of all of them, then
    distinct = np.unique(values)
    if len(distinct) <= _MANY:
        return ""
    left = len(_levels(distinct, low, high))
    return f"{left} of {len(distinct):,} values left" if left <= _FEW else ""


def _levels(values: Array, low: float, high: float) -> Array:
    """The levels of the grid from `low` to `high` that values come to lie on."""
    found: Array = np.unique(np.round((values.astype(np.float64) - low) / ((high - low) or 1.0) * _STEPS))
    return found


def _merged_inputs(known: Mapping[str, Array], names: Sequence[str]) -> str:
    arrays = [known[name] for name in names if name in known]
    arrays = [each.astype(np.float64) for each in arrays if each.dtype.kind == "f" and each.size]
    if len(arrays) < 2 or not all(np.isfinite(each).all() for each in arrays):
        return ""
    low, high = min(0.0, *(each.min() for each in arrays)), max(0.0, *(each.max() for each in arrays))
    return next((result for each in arrays if (result := _levels_left(each, low, high))), "")


def _mixed_table(table: Array | None) -> str:
    if table is None or table.dtype.kind != "f" or table.size == 0 or not np.isfinite(table).all():
        return ""
    low, high = min(0.0, float(table.min())), max(0.0, float(table.max()))
    for axis in range(table.ndim):
        others = tuple(each for each in range(table.ndim) if each != axis)
        narrow = np.flatnonzero(np.ptp(table, others) < _FEW * (high - low) / _STEPS)
        items = (_levels_left(np.take(table, index, axis).astype(np.float64), low, high) for index in narrow)
        if found := next((each for each in items if each), ""):
            return found
    return ""
