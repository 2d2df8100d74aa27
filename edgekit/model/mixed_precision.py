"""Candidates for float fallback in a quantized graph, in groups to try."""

from collections.abc import Collection

import onnx_ir as ir
from onnx import ModelProto

from edgekit.model.passes.dequantize_operators import DequantizeOperatorsPass, Unit, integer_units
from edgekit.model.passes.rewriting import array_of, rewrite

_FIRST, _LAST = 4, 2


def unit_names(model: ModelProto) -> list[str]:
    """The operators that can be float or integer, in the graph's order."""
    return list(integer_units(ir.from_proto(model)))


def dequantize(model: ModelProto, names: Collection[str]) -> tuple[ModelProto, frozenset[str]]:
    """The model with these operators in float, and those that are: an operator without weights follows its
    neighbours."""
    mixed = rewrite(model, DequantizeOperatorsPass(names))
    return mixed, frozenset(names) - set(unit_names(mixed))


def candidate_groups(model: ModelProto, floats: Collection[str]) -> dict[str, frozenset[str]]:
    """Groups of operators that may be faster in float in addition to `floats`: those at the float inputs and
    outputs, whose conversions then move or disappear, and depthwise convolutions, which are memory-bound."""
    units = {name: unit for name, unit in integer_units(ir.from_proto(model)).items() if name not in floats}
    names = list(units)
    groups = {f"the first {number}": names[:number] for number in range(1, _FIRST + 1)}
    groups |= {f"the last {number}": names[-number:] for number in range(1, _LAST + 1)}
    groups["every depthwise convolution"] = [name for name, unit in units.items() if _is_depthwise(unit)]
    found: dict[str, frozenset[str]] = {}
    for entry, group in groups.items():
        possible = dequantize(model, {*floats, *group})[1] - set(floats)
        if possible and possible not in found.values():
            found[entry] = possible
    return found


def _is_depthwise(unit: Unit) -> bool:
    groups = unit.node.attributes.get_int("group", 1)
    source = unit.node.inputs[1].producer() if len(unit.node.inputs) > 1 and unit.node.inputs[1] is not None else None
    weight = array_of(source.inputs[0]) if source is not None else None
    return unit.node.op_type == "Conv" and weight is not None and groups > 1 and weight.shape[1] == 1
