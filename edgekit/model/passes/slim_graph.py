"""Reduce file size: remove what a runtime does not read."""

import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedOpsetsPass

from edgekit.model.passes.rewriting import GraphPass, values_of

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class SlimGraphPass(GraphPass):
    """Number inner tensors and drop their shapes, drop node names and unused domains. Inputs, outputs and dynamic axes
    keep their names.

    The model's functions keep theirs, and values that enter a control-flow subgraph keep their types, which are stated
    nowhere else.
    """

    def apply(self, model: ir.Model) -> None:
        RemoveUnusedOpsetsPass()(model)
        kept = {value.name for value in (*model.graph.inputs, *model.graph.outputs)}
        values = [value for value in values_of(model.graph) if value.name not in kept]
        names = _short_names(len(values), kept)
        ir.convenience.rename_values(values, names)
        entering = {each for node in model.graph.all_nodes() if node.graph is not None for each in node.graph.inputs}
        for value in values:
            if value not in entering:
                value.type = value.shape = None
        for node in model.graph.all_nodes():
            node.name = ""


def _short_names(count: int, taken: set[str | None]) -> list[str]:
    names: list[str] = []
    number = len(taken) + 1
    while len(names) < count:
        name = _base36(number)
        if name not in taken:
            names.append(name)
        number += 1
    return names


def _base36(number: int) -> str:
    text = ""
    while True:
        number, rest = divmod(number, 36)
        text = _DIGITS[rest] + text
        if not number:
            return text
