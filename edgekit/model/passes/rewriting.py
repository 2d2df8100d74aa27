"""Apply passes: an ONNX graph is converted to onnx-ir, which maintains uses and subgraphs, and back."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import onnx_ir as ir
from onnx import ModelProto
from onnx_ir.passes import InPlacePass, PassBase, PassResult
from onnx_ir.passes.common import RemoveUnusedNodesPass

from edgekit.arrays import Array


class GraphPass(InPlacePass):
    """Rewrites a model in place and preserves its outputs. A subclass implements `apply`."""

    @abstractmethod
    def apply(self, model: ir.Model) -> None:
        """Change the model."""

    def call(self, model: ir.Model) -> PassResult:
        """Apply the pass, and report whether the model differs afterwards."""
        before = _structure(model)
        self.apply(model)
        return PassResult(model, modified=before != _structure(model))


def rewrite(model: ModelProto, *passes: PassBase) -> ModelProto:
    """Apply the passes to a model, and remove what is no longer used."""
    inside = ir.from_proto(model)
    for each in passes:
        each(inside)
    RemoveUnusedNodesPass()(inside)
    return ir.to_proto(inside)


def _structure(model: ir.Model) -> list[Any]:
    """Everything that a pass may change, as objects that are compared by identity: tensors are not compared by
    value."""
    graph = model.graph
    found: list[Any] = [dict(model.opset_imports), tuple(graph.inputs), tuple(graph.outputs)]
    for value in values_of(graph):
        found += [value, value.name, value.dtype, value.shape and tuple(value.shape), _Same(value.const_value)]
    for node in graph.all_nodes():
        attributes = {name: _Same(attribute) for name, attribute in node.attributes.items()}
        found += [node, node.domain, node.op_type, node.name, node.inputs, node.outputs, attributes]
    return found


@dataclass(frozen=True)
class _Same:
    """Equal only if it holds the very same object."""

    what: object

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.what is other.what

    def __hash__(self) -> int:
        return id(self.what)


def replace(model: ir.Model, old: ir.Node, new: Sequence[ir.Node]) -> None:
    """Replace a node by nodes, the last of which takes over the name, type and uses of its first output."""
    assert old.graph is not None
    _rename_taken(model, new[:-1])
    ir.convenience.replace_nodes_and_values(old.graph, old, [old], new, old.outputs[:1], new[-1].outputs[:1])


def insert_before(model: ir.Model, node: ir.Node, new: ir.Node) -> None:
    """Insert a node before another one in its graph."""
    assert node.graph is not None
    _rename_taken(model, [new])
    node.graph.insert_before(node, new)


def _rename_taken(model: ir.Model, new: Sequence[ir.Node]) -> None:
    """Give the outputs of new nodes names that are unique in the model."""
    taken = {value.name for value in values_of(model.graph)}
    for value in (value for node in new for value in node.outputs):
        while value.name in taken:
            value.name = f"{value.name}_"


def values_of(graph: ir.Graph) -> list[ir.Value]:
    """Every named tensor of a graph and its subgraphs, once; constants first."""
    found = dict.fromkeys((*graph.initializers.values(), *graph.inputs))
    for node in graph.all_nodes():
        if node.graph is not None:
            found.update(dict.fromkeys((*node.graph.inputs, *node.graph.initializers.values())))
        found.update(dict.fromkeys(each for each in (*node.inputs, *node.outputs) if each is not None and each.name))
    return list(found)


def constant(node: ir.Node, name: str, array: Array) -> ir.Value:
    """A constant of the array's shape in a node's graph, with this name or a similar one."""
    graph = node.graph
    assert graph is not None
    while name in graph.initializers:
        name += "_"
    tensor = ir.tensor(array, name=name)
    value = ir.val(name, const_value=tensor, type=ir.TensorType(tensor.dtype), shape=array.shape)
    graph.register_initializer(value)
    return value


def array_of(value: ir.Value | None) -> Array | None:
    """The values of a constant in its stored shape; None if the value is not constant."""
    tensor = None if value is None else ir.convenience.get_const_tensor(value)
    return None if tensor is None else tensor.numpy()
