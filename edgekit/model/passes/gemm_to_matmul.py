"""Convert Gemm to a plain matrix product."""

import onnx_ir as ir

from edgekit.model.passes.rewriting import GraphPass, replace


class GemmToMatMulPass(GraphPass):
    """Convert Gemm with a constant weight to MatMul, and Add if it has a bias: the runtime's 4-bit kernels replace
    MatMul only. Gemm that transposes its input or scales is left unchanged."""

    def apply(self, model: ir.Model) -> None:
        for node in list(model.graph.all_nodes()):
            if node.op_type != "Gemm" or node.domain or not _is_plain(node):
                continue
            weight = node.inputs[1]
            tensor = None if weight is None else ir.convenience.get_const_tensor(weight)
            if weight is None or tensor is None:
                continue
            if node.attributes.get_int("transB", 0):
                weight = _transpose(model.graph, f"{weight.name}_transposed", tensor)
            replace(model, node, _product(node, weight))


def _is_plain(node: ir.Node) -> bool:
    options = node.attributes
    scales = {options.get_float("alpha", 1.0), options.get_float("beta", 1.0)}
    return scales == {1.0} and not options.get_int("transA", 0)


def _transpose(graph: ir.Graph, name: str, tensor: ir.TensorProtocol) -> ir.Value:
    """The transposed constant, shared by all of its readers."""
    if name not in graph.initializers:
        array = tensor.numpy().T.copy()
        turned = ir.tensor(array, name=name)
        value = ir.val(name, const_value=turned, type=ir.TensorType(turned.dtype), shape=array.shape)
        graph.register_initializer(value)
    return graph.initializers[name]


def _product(node: ir.Node, weight: ir.Value) -> list[ir.Node]:
    product = ir.node("MatMul", [node.inputs[0], weight], name=node.name)
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    if bias is None:
        return [product]
    product.outputs[0].name = f"{node.outputs[0].name}_product"
    return [product, ir.node("Add", [product.outputs[0], bias])]
