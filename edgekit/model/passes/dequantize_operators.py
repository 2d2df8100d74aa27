"""Operators between conversions, and their conversion back to float."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgekit.arrays import Array
from edgekit.model.operator_kinds import NOT_COMPUTING
from edgekit.model.operators import PRODUCTS
from edgekit.model.passes.rewriting import GraphPass, array_of, constant, insert_before

_TAILS = {"Clip", "HardSigmoid", "HardSwish", "LeakyRelu", "Relu"}
"""Activations that the kernel before them may absorb."""


@dataclass(frozen=True)
class Unit:
    """An operator that computes between conversions, with the operators after it up to the next conversion."""

    node: ir.Node
    last: ir.Node
    """The operator itself, or the activation after it."""

    @property
    def name(self) -> str:
        return str(self.node.name)

    @property
    def result(self) -> ir.Value:
        return self.last.outputs[0]


def integer_units(model: ir.Model) -> dict[str, Unit]:
    """The operators of the outer graph that compute between DequantizeLinear and QuantizeLinear, by name, in the
    graph's order. The runtime runs them on integers if it has a kernel."""
    found = {}
    for node in model.graph:
        if node.op_type in NOT_COMPUTING or not node.name or len(node.outputs) != 1 or not _reads_integers(node):
            continue
        unit = Unit(node, _last(node))
        uses = unit.result.uses()
        if uses and all(each.node.op_type == "QuantizeLinear" for each in uses):
            found[unit.name] = unit
    return found


def _reads_integers(node: ir.Node) -> bool:
    """Whether everything that a node computes with, including weights, comes from DequantizeLinear."""
    given = [each for each in node.inputs if each is not None]
    converted = [each for each in given if _is_converted(each)]
    if node.op_type in PRODUCTS and given[1] not in converted:
        return False
    others = [each for each in given if each not in converted]
    activations = [each for each in converted if array_of(_producer(each).inputs[0]) is None]
    return bool(activations) and all(array_of(each) is not None for each in others)


def _is_converted(value: ir.Value) -> bool:
    source = value.producer()
    return source is not None and source.op_type == "DequantizeLinear"


def _producer(value: ir.Value) -> ir.Node:
    source = value.producer()
    assert source is not None
    return source


@dataclass(frozen=True)
class DequantizeOperatorsPass(GraphPass):
    """Convert the integer units with these names to float: dequantize their weights and remove the conversions between
    two of them. Values are still clipped to the conversion's range, which may replace a ReLU. A unit without weights
    stays integer unless it reads the model's input or another such unit, since the runtime would run it on integers in
    any case."""

    names: Collection[str]

    def apply(self, model: ir.Model) -> None:
        units = integer_units(model)
        chosen = {name: unit for name, unit in units.items() if name in self.names}
        makers = {unit.result: unit for unit in chosen.values()}
        clipped: dict[ir.Value, ir.Value] = {}
        for unit in chosen.values():
            for index, value in enumerate(unit.node.inputs):
                source = value.producer() if value is not None else None
                if source is None or source.op_type != "DequantizeLinear":
                    continue
                stored = _dequantize(source)
                if stored is not None:
                    folded = constant(unit.node, f"{source.outputs[0].name}_float", stored)
                    unit.node.replace_input_with(index, folded)
                    continue
                rounded = source.inputs[0].producer() if source.inputs[0] is not None else None
                if rounded is None or rounded.op_type != "QuantizeLinear":
                    continue
                given = rounded.inputs[0]
                assert given is not None
                if given.is_graph_input():
                    unit.node.replace_input_with(index, given)
                elif given in makers:
                    if given not in clipped:
                        clipped[given] = _clip(model, rounded, given)
                    unit.node.replace_input_with(index, clipped[given])


def _last(node: ir.Node) -> ir.Node:
    followers = [use.node for use in node.outputs[0].uses()]
    return followers[0] if len(followers) == 1 and followers[0].op_type in _TAILS else node


def _clip(model: ir.Model, rounded: ir.Node, given: ir.Value) -> ir.Value:
    """A tensor clipped to the range of its conversion."""
    scale, zero = (array_of(each) for each in rounded.inputs[1:3])
    assert scale is not None and zero is not None
    kind = np.iinfo(zero.dtype)
    limits = [np.float32((limit - zero.astype(np.float32)) * scale) for limit in (kind.min, kind.max)]
    ends = zip(("low", "high"), limits, strict=True)
    bounds = [constant(rounded, f"{given.name}_{end}", np.array(limit)) for end, limit in ends]
    clip = ir.node("Clip", [given, *bounds])
    clip.outputs[0].name = f"{given.name}_within"
    clip.outputs[0].type, clip.outputs[0].shape = given.type, given.shape
    insert_before(model, rounded, clip)
    return clip.outputs[0]


def _dequantize(source: ir.Node) -> Array | None:
    """The dequantized values of a constant; None if it is not constant."""
    integers, scale = array_of(source.inputs[0]), array_of(source.inputs[1])
    if integers is None or scale is None:
        return None
    zero = array_of(source.inputs[2]) if len(source.inputs) > 2 else None
    if scale.ndim == 1 and integers.ndim:
        axis = source.attributes.get_int("axis", 1) % integers.ndim
        shape = [-1 if number == axis else 1 for number in range(integers.ndim)]
        scale = scale.reshape(shape)
        zero = None if zero is None else zero.reshape(shape)
    whole = integers.astype(np.int64) - (0 if zero is None else zero.astype(np.int64))
    return (whole.astype(np.float32) * scale).astype(np.float32)
