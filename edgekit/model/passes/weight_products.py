"""Matrix products with constant weights."""

import onnx_ir as ir

from edgekit.model.passes.rewriting import array_of


def products_by_input(model: ir.Model) -> list[tuple[ir.Value, list[ir.Node]]]:
    """The matrix products with constant two-axis weights, grouped by their input within one graph."""
    found: dict[tuple[int, int], tuple[ir.Value, list[ir.Node]]] = {}
    for node in model.graph.all_nodes():
        weight = array_of(node.inputs[1]) if node.op_type == "MatMul" and not node.domain else None
        given = node.inputs[0] if weight is not None and weight.ndim == 2 else None
        if given is not None and array_of(given) is None:
            found.setdefault((id(node.graph), id(given)), (given, []))[1].append(node)
    return list(found.values())


def narrows(node: ir.Node) -> bool:
    """Whether a product with a constant has fewer outputs than inputs, as the second one of a feed-forward block."""
    weight = array_of(node.inputs[1])
    assert weight is not None
    return bool(weight.shape[0] > weight.shape[1])
