"""Expose or separate the operators of a graph, so that each can be examined."""

from collections.abc import Collection

import onnx_ir as ir
from onnx import ModelProto

_NO_TENSORS = ("Sequence", "Optional")

GIVEN = "@given"
"""The suffix of the input that replaces a tensor."""


def expose_tensors(model: ModelProto, names: Collection[str] | None = None) -> ModelProto:
    """The model with all operator outputs, or those in `names`, as additional outputs, except for those inside control
    flow and for values that are not tensors."""
    inside = ir.from_proto(model)
    given = set(inside.graph.outputs)
    for node in inside.graph:
        if not any(mark in node.op_type for mark in _NO_TENSORS):
            made = [value for value in node.outputs if value.name and value not in given]
            inside.graph.outputs.extend(value for value in made if names is None or value.name in names)
    return ir.to_proto(inside)


def split_at(model: ModelProto, names: Collection[str]) -> ModelProto:
    """The model split at each of the named tensors: its producer writes it to an output, and its readers read an input
    NAME@given. One run then gives each operator's output for any inputs, independent of the others."""
    inside = ir.from_proto(model)
    for value in [value for node in inside.graph for value in node.outputs if value.name in names]:
        given = ir.val(f"{value.name}{GIVEN}", type=value.type, shape=value.shape)
        if value.is_graph_output():
            inside.graph.outputs.remove(value)
        value.replace_all_uses_with(given)
        inside.graph.inputs.append(given)
        inside.graph.outputs.append(value)
    return ir.to_proto(inside)
