"""Fuse Gelu into one operator."""

import numpy as np
import onnx_ir as ir

from edgekit.model.passes.rewriting import GraphPass, array_of, replace

OPSET = 20
"""The first opset with Gelu."""


class FuseGeluPass(GraphPass):
    """Replace x (1 + erf(x / sqrt 2)) / 2 (Hendrycks, Gimpel, arXiv 1606.08415, section 2), with factors in any order,
    by Gelu. Quantized operator by operator, it could no longer be fused into the runtime's kernel."""

    def apply(self, model: ir.Model) -> None:
        if model.opset_imports.get("", 0) < OPSET:
            return
        for node in list(model.graph.all_nodes()):
            if node.op_type == "Erf" and (found := _gelu(node)):
                last, given = found
                replace(model, last, [ir.node("Gelu", [given], name=last.name)])


def _gelu(erf: ir.Node) -> tuple[ir.Node, ir.Value] | None:
    """The last operator and the input of the Gelu that contains an Erf."""
    scaled = erf.inputs[0].producer() if erf.inputs[0] is not None else None
    shifted = _taker(erf, "Add")
    product = _taker(shifted, "Mul") if shifted is not None and _has(shifted, 1.0) else None
    if scaled is None or product is None or not (_is(scaled, "Div", 2**0.5) or _is(scaled, "Mul", 0.5**0.5)):
        return None
    given = next((each for each in scaled.inputs if array_of(each) is None), None)
    if given is None:
        return None
    halved = [each.producer() for each in product.inputs if each is not None]
    if any(half is not None and _is(half, "Mul", 0.5) and given in half.inputs for half in halved):
        return product, given
    last = _taker(product, "Mul")
    if last is None:
        return None
    whole = (given in product.inputs and _has(last, 0.5)) or (_has(product, 0.5) and given in last.inputs)
    return (last, given) if whole else None


def _taker(node: ir.Node, kind: str) -> ir.Node | None:
    """The only reader of a node's output, if it is of this type."""
    uses = list(node.outputs[0].uses())
    if len(uses) != 1 or node.outputs[0].is_graph_output() or uses[0].node.op_type != kind:
        return None
    return uses[0].node


def _is(node: ir.Node, kind: str, factor: float) -> bool:
    return node.op_type == kind and _has(node, factor)


def _has(node: ir.Node, factor: float) -> bool:
    """Whether one of a node's inputs is a constant with this value."""
    arrays = [array_of(each) for each in node.inputs]
    return any(each is not None and each.size == 1 and np.allclose(each, factor, rtol=1e-5) for each in arrays)
