"""Remove the factors of Gemm."""

import numpy as np
import onnx_ir as ir

from edgekit.model.passes.rewriting import GraphPass, constant, replace


class FoldGemmFactorsPass(GraphPass):
    """Fold the factors of Gemm into its constants, and make a bias of one row a vector: ONNX Runtime's quantizer
    assumes that beta is 1 (its issue 28130 is similar) and that biases are vectors (issue 24815).

    A weight or bias that is not constant is multiplied by the factor. A bias with several rows is added by a separate
    node.
    """

    def apply(self, model: ir.Model) -> None:
        for node in list(model.graph.all_nodes()):
            if node.op_type != "Gemm" or node.domain or node.graph is None:
                continue
            _fold(node, 1, "alpha")
            if len(node.inputs) > 2 and node.inputs[2] is not None:
                _fold(node, 2, "beta")
                _make_vector(node)
                if not _is_vector(node.inputs[2]):
                    replace(model, node, _product_and_sum(node))
            node.attributes.pop("beta", None)


def _fold(node: ir.Node, index: int, name: str) -> None:
    factor = node.attributes.get_float(name, 1.0)
    node.attributes.pop(name, None)
    given = node.inputs[index]
    if factor == 1.0 or given is None or node.graph is None:
        return
    tensor = ir.convenience.get_const_tensor(given)
    if tensor is not None:
        array = tensor.numpy()
        node.replace_input_with(index, constant(node, f"{given.name}_{name}", (array * factor).astype(array.dtype)))
        return
    dtype = given.dtype.numpy() if given.dtype is not None else np.dtype(np.float32)
    scaled = ir.node("Mul", [given, constant(node, f"{name}_of_{node.outputs[0].name}", np.asarray(factor, dtype))])
    scaled.outputs[0].name = f"{node.outputs[0].name}_{name}"
    scaled.outputs[0].type, scaled.outputs[0].shape = given.type, given.shape
    node.graph.insert_before(node, scaled)
    node.replace_input_with(index, scaled.outputs[0])


def _is_vector(bias: ir.Value | None) -> bool:
    return bias is not None and bias.shape is not None and len(bias.shape) == 1 and bias.shape[0] != 1


def _make_vector(node: ir.Node) -> None:
    bias, weight = node.inputs[2], node.inputs[1]
    tensor = None if bias is None else ir.convenience.get_const_tensor(bias)
    if bias is None or tensor is None or weight is None or weight.shape is None or _is_vector(bias):
        return
    columns = weight.shape[0 if node.attributes.get_int("transB", 0) else 1]
    array = tensor.numpy()
    if isinstance(columns, int) and array.size in (1, columns) and array.shape[:-1] in ((), (1,)):
        vector = np.broadcast_to(array.reshape(-1), (columns,)).copy()
        node.replace_input_with(2, constant(node, f"{bias.name}_vector", vector))


def _product_and_sum(node: ir.Node) -> list[ir.Node]:
    product = ir.node("Gemm", node.inputs[:2], node.attributes, name=node.name)
    product.outputs[0].name = f"{node.outputs[0].name}_product"
    return [product, ir.node("Add", [product.outputs[0], node.inputs[2]])]
