"""Conversions between float and integers."""

import numpy as np
import onnx_ir as ir

from edgekit.tflite.lowering import (
    LoweredTensor,
    Lowering,
    Unsupported,
    constant_of,
    has_same_quant_params,
    quant_params_of,
)
from edgekit.tflite.lowerings.activations import BOTH, gate, is_gate, rescale
from edgekit.tflite.subgraph import QuantParams


def quantize(work: Lowering, node: ir.Node) -> None:
    value = node.outputs[0]
    if value in work.lowered:
        return
    quant = quant_params_of(node)
    if quant is None:
        raise Unsupported(node, "with more than one scale, or to integers other than 8 bits")
    made = work.requantize(work.at(node), quant)
    work.lowered[value] = LoweredTensor(made.tensor, made.order, quant)


def dequantize(work: Lowering, node: ir.Node) -> None:
    """DequantizeLinear emits no operator: readers take the integers, or convert them to float."""
    given, quant = work.at(node), quant_params_of(node)
    if given.quant is None or quant is None:
        raise Unsupported(node, "of integers without a scale")
    work.lowered[node.outputs[0]] = (
        given if has_same_quant_params(given.quant, quant) else _relabel(work, node, given, quant)
    )


def _relabel(work: Lowering, node: ir.Node, given: LoweredTensor, quant: QuantParams) -> LoweredTensor:
    """Reinterpret integers with other quantization parameters: a part of an activation that `integer_activations` split
    for ONNX Runtime, and that TFLite supports as a whole."""
    assert given.quant is not None
    factor, shift = quant.scale / given.quant.scale, quant.scale * (given.quant.zero - quant.zero)
    made = node.inputs[0].producer() if node.inputs[0] is not None else None
    inner = made.inputs[0].producer() if made is not None and made.inputs[0] is not None else None
    if inner is not None and inner.op_type == "Add":
        added = [constant_of(each) for each in inner.inputs]
        moving = [each for each, array in zip(inner.inputs, added, strict=True) if array is None]
        constant = next((array for array in added if array is not None and array.size == 1), None)
        if len(moving) == 1 and constant is not None and moving[0] in work.lowered:
            beta = factor * float(constant.reshape(-1)[0]) + shift
            if is_gate(factor, beta) and np.allclose(quant.reaches(), (0, 1), atol=1e-6):
                return gate(work, work.lowered[moving[0]], work.name(node.outputs[0]))
    if inner is not None and inner.op_type == "Sigmoid" and has_same_quant_params(quant, BOTH):
        source = work.doubled.get(work.at(inner).tensor)
        if source is not None:
            shape = work.graph.tensors[source.tensor].shape
            tanh = work.graph.tensor(work.name(node.outputs[0]), "int8", shape, BOTH)
            return LoweredTensor(work.graph.operator("TANH", [source.tensor], tanh), source.order, BOTH)
    if shift == 0:
        return rescale(work, given, quant, factor)
    raise Unsupported(node, "with another scale than that of its integers")
