"""A graph whose operators can be looked at one by one."""

from collections.abc import Collection

import onnx_ir as ir
from onnx import ModelProto

_NO_TENSORS = ("Sequence", "Optional")

GIVEN = "@given"
"""Behind a tensor's name: the input that stands in for it."""


def expose_tensors(model: ModelProto, names: Collection[str] | None = None) -> ModelProto:
    """The model with everything that an operator gives among its outputs, or those of the `names` alone; not what is
    inside control flow, or no tensor."""
    inside = ir.from_proto(model)
    given = set(inside.graph.outputs)
    for node in inside.graph:
        if not any(mark in node.op_type for mark in _NO_TENSORS):
            made = [value for value in node.outputs if value.name and value not in given]
            inside.graph.outputs.extend(value for value in made if names is None or value.name in names)
    return ir.to_proto(inside)


def split_at(model: ModelProto, names: Collection[str]) -> ModelProto:
    """The model cut behind each of the named tensors: what makes it gives it as an output, and whoever reads it reads
    an input NAME@given instead. One run then shows what each operator makes of any inputs, whatever the others did."""
    inside = ir.from_proto(model)
    for value in [value for node in inside.graph for value in node.outputs if value.name in names]:
        given = ir.val(f"{value.name}{GIVEN}", type=value.type, shape=value.shape)
        if value.is_graph_output():
            inside.graph.outputs.remove(value)
        value.replace_all_uses_with(given)
        inside.graph.inputs.append(given)
        inside.graph.outputs.append(value)
    return ir.to_proto(inside)
