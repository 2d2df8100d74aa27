"""The memory of activations during a run."""

from collections.abc import Mapping
from math import prod

from onnx import GraphProto, ModelProto

from edgekit.model.operators import graphs
from edgekit.model.shapes import shapes_of, types_of
from edgekit.model.weights import kind_bits, kind_name


def activation_bytes(shaped: ModelProto) -> int | None:
    """The peak bytes of inputs, outputs and intermediate tensors, each kept from its producer to its last reader, in
    the file's order. Tensors that depend on no input are excluded. None if a shape or type is unknown, and for control
    flow.

    `shaped` is the result of `for_one_sample`. A runtime that computes in place needs less; one that aligns buffers
    needs more.
    """
    graph = shaped.graph
    if len(list(graphs(graph))) > 1:
        return None
    sizes, ends = _sizes(graph), _last_uses(graph)
    stored = {tensor.name for tensor in graph.initializer}
    made = {value.name for value in graph.input} - stored
    live = {name: sizes.get(name) for name in made}
    most = 0
    for number, node in enumerate(graph.node):
        if made.isdisjoint(node.input):
            continue
        made.update(filter(None, node.output))
        live |= {name: sizes.get(name) for name in node.output if name}
        held = [size for size in live.values() if size is not None]
        if len(held) < len(live):
            return None
        most = max(most, sum(held))
        live = {name: size for name, size in live.items() if ends.get(name, number) > number}
    return most


def _sizes(graph: GraphProto) -> dict[str, int]:
    shapes, types = shapes_of(graph), types_of(graph)
    known = shapes.keys() & types.keys()
    return {name: -(-prod(shapes[name]) * kind_bits(kind_name(types[name])) // 8) for name in known}


def _last_uses(graph: GraphProto) -> Mapping[str, int]:
    """For each tensor, the index of the last operator that reads it; outputs are kept to the end."""
    found = {name: number for number, node in enumerate(graph.node) for name in node.input}
    return found | {value.name: len(graph.node) for value in graph.output}
