"""Shift integers between signed and unsigned."""

from collections.abc import Iterator

import numpy as np
from onnx import GraphProto, ModelProto, TensorProto, numpy_helper

from edgekit.model.operators import graphs

SHIFT = 128
_ZERO_POINTS = {
    "QuantizeLinear": (2,), "DequantizeLinear": (2,),
    "ConvInteger": (2, 3), "MatMulInteger": (2, 3), "MatMulIntegerToFloat": (4, 5),
    "DynamicQuantizeMatMul": (3,),
}  # fmt: skip
"""Operators whose zero points are optional, and their input positions."""
_NO_ZERO_POINTS = {"DynamicQuantizeLSTM", "QAttention"}


def to_unsigned(model: ModelProto) -> ModelProto:
    """Shift int8 values and zero points by +128 to uint8 in a copy. Dequantized values do not change.

    Products with unsigned activations are then added without saturation on CPUs that add signed products in 16 bits.
    The copy stays signed if int8 enters or leaves the model, or if a value has no zero point that could be shifted.
    """
    copy = ModelProto()
    copy.CopyFrom(model)
    if not all(_is_shiftable(graph) for graph in graphs(copy.graph)):
        return copy
    for graph in graphs(copy.graph):
        del graph.value_info[:]
        for tensor in _tensors(graph):
            if tensor.data_type == TensorProto.INT8:
                shifted = numpy_helper.to_array(tensor).astype(np.int16) + SHIFT
                tensor.CopyFrom(numpy_helper.from_array(shifted.astype(np.uint8), tensor.name))
    return copy


def to_signed(model: ModelProto) -> ModelProto:
    """Shift uint8 values and zero points by -128 to int8 in a copy of a QDQ model. Dequantized values do not change,
    and ARM's kernels take the result."""
    copy = ModelProto()
    copy.CopyFrom(model)
    for graph in graphs(copy.graph):
        del graph.value_info[:]
        converted = {
            name
            for node in graph.node
            if node.op_type in ("QuantizeLinear", "DequantizeLinear")
            for name in (node.input[0], node.input[2])
        }
        for tensor in graph.initializer:
            if tensor.data_type == TensorProto.UINT8 and tensor.name in converted:
                shifted = numpy_helper.to_array(tensor).astype(np.int16) - SHIFT
                tensor.CopyFrom(numpy_helper.from_array(shifted.astype(np.int8), tensor.name))
    return copy


def _is_shiftable(graph: GraphProto) -> bool:
    ports = {value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)}
    return TensorProto.INT8 not in ports and not any(
        node.op_type in _NO_ZERO_POINTS
        or any(place >= len(node.input) or not node.input[place] for place in _ZERO_POINTS.get(node.op_type, ()))
        or any(each.name in ("to", "output_dtype") and each.i == TensorProto.INT8 for each in node.attribute)
        for node in graph.node
    )


def _tensors(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        if node.op_type == "Constant":
            yield from (each.t for each in node.attribute if each.name == "value")
