"""Replace means over height and width by pooling."""

import onnx_ir as ir

from edgekit.model.passes.rewriting import GraphPass, replace

_SPATIAL = ([2, 3], [-2, -1], [3, 2], [-1, -2])


class MeanToGlobalPoolPass(GraphPass):
    """Replace ReduceMean over height and width of (batch, channels, height, width) by GlobalAveragePool, with a Flatten
    if the axes are dropped: the exporter writes the former, and runtimes have integer kernels for the latter only.

    The types and shapes of inner tensors must be known. Only 32-bit floats are pooled, for which runtimes have kernels.
    """

    def apply(self, model: ir.Model) -> None:
        for node in list(model.graph.all_nodes()):
            given = node.inputs[0] if node.inputs else None
            if node.op_type != "ReduceMean" or node.domain or given is None or given.shape is None:
                continue
            if len(given.shape) == 4 and given.dtype is ir.DataType.FLOAT and _axes(node) in _SPATIAL:
                replace(model, node, _pool(node, given))


def _pool(node: ir.Node, given: ir.Value) -> list[ir.Node]:
    if node.attributes.get_int("keepdims", 1):
        return [ir.node("GlobalAveragePool", [given], name=node.name)]
    pool = ir.node("GlobalAveragePool", [given], name=node.name)
    pool.outputs[0].name = f"{node.outputs[0].name}_pooled"
    return [pool, ir.node("Flatten", pool.outputs, {"axis": 1})]


def _axes(node: ir.Node) -> list[int]:
    """The axes of a reduction: an input since opset 18, an attribute before; empty if they are not constant."""
    if len(node.inputs) < 2:
        return list(node.attributes.get_ints("axes", ()))
    named = ir.convenience.get_const_tensor(node.inputs[1]) if node.inputs[1] is not None else None
    return [] if named is None else [int(axis) for axis in named.numpy()]
