"""Rename a graph's inputs and outputs, whatever inner tensors are named."""

from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

from edgekit.model.passes.rewriting import GraphPass, values_of


@dataclass(frozen=True)
class NamePortsPass(GraphPass):
    """Name the inputs and outputs. An inner tensor with one of these names is renamed. An output that is also an input,
    a constant or an earlier output gets a tensor of its own."""

    inputs: Sequence[str]
    outputs: Sequence[str]

    def apply(self, model: ir.Model) -> None:
        graph = model.graph
        for number, value in enumerate(graph.outputs):
            if value.is_graph_input() or value.is_initializer() or value in list(graph.outputs)[:number]:
                own = ir.node("Identity", [value])
                own.outputs[0].type, own.outputs[0].shape = value.type, value.shape
                graph.append(own)
                graph.outputs[number] = own.outputs[0]
        ports = [*graph.inputs, *graph.outputs]
        names = [*self.inputs, *self.outputs]
        others = [value for value in values_of(graph) if value not in ports]
        taken = {value.name for value in others} | set(names)
        for value in others:
            if value.name in names:
                while value.name in taken:
                    value.name = f"{value.name}_"
                taken.add(value.name)
        for value, name in zip(ports, names, strict=True):
            value.name = name
