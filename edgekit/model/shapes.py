"""The shapes of a graph's tensors."""

import onnx
from onnx import GraphProto, ModelProto

from edgekit.errors import ModelError, last_line

# The runtime's own operators: the standard one that gives the same shape, and which inputs it takes.
_STANDARD = {
    "FusedConv": ("Conv", (0, 1)),
    "FusedGemm": ("Gemm", (0, 1)),
    "FusedMatMul": ("MatMul", (0, 1)),
    "MatMulIntegerToFloat": ("MatMul", (0, 1)),
    "DynamicQuantizeMatMul": ("MatMul", (0, 1)),
    "QGemm": ("Gemm", (0, 3)),
    "QLinearAdd": ("Add", (0, 3)),
    "QLinearMul": ("Mul", (0, 3)),
    "QLinearSigmoid": ("Sigmoid", (0,)),
    "QLinearLeakyRelu": ("LeakyRelu", (0,)),
    "QLinearSoftmax": ("Softmax", (0,)),
    "QLinearGlobalAveragePool": ("GlobalAveragePool", (0,)),
    "QLinearAveragePool": ("AveragePool", (0,)),
    "QuantizeLinear": ("QuantizeLinear", (0, 1, 2)),
    "DequantizeLinear": ("DequantizeLinear", (0, 1, 2)),
}


def with_shapes(model: ModelProto) -> ModelProto:
    """The model with the shape of every inner tensor that can be inferred. Raises ModelError where shapes contradict
    each other."""
    del model.graph.value_info[:]
    try:
        return onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except onnx.shape_inference.InferenceError as error:
        raise ModelError(
            f"the shapes in the graph contradict each other: {last_line(error)}", "look at it with: edgekit inspect"
        ) from error


def _shapes(graph: GraphProto) -> dict[str, tuple[int, ...]]:
    """Known shapes by tensor; a dynamic first axis counts as 1."""
    known: dict[str, tuple[int, ...]] = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.input, *graph.output, *graph.value_info):
        tensor = value.type.tensor_type
        if not tensor.HasField("shape"):
            continue
        sizes = tuple(
            d.dim_value if d.HasField("dim_value") else 1 if axis == 0 else -1
            for axis, d in enumerate(tensor.shape.dim)
        )
        if -1 not in sizes:
            known[value.name] = sizes
    return known


def known_shapes(model: ModelProto) -> dict[str, tuple[int, ...]]:
    """The shapes for one sample by tensor, wherever the batch's axis goes: a transformer may carry it second."""
    known = _shapes(model.graph)
    if all(name in known for node in model.graph.node for name in node.output if name):
        return known
    single = ModelProto()
    single.CopyFrom(model)
    del single.graph.value_info[:]
    for value in (*single.graph.input, *single.graph.output):
        sizes = value.type.tensor_type.shape.dim
        if sizes and not sizes[0].HasField("dim_value"):
            sizes[0].dim_value = 1
    return {**known, **_shapes(_inferred(single).graph)}


def _inferred(model: ModelProto) -> ModelProto:
    """A copy with inferred shapes, in which the runtime's own operators stand as the standard ones that shape inference
    knows: their outputs have the same shapes. It is good for nothing else."""
    copy = ModelProto()
    copy.CopyFrom(model)
    for node in copy.graph.node:
        if node.op_type in _STANDARD and node.domain not in ("", "ai.onnx"):
            node.op_type, positions = _STANDARD[node.op_type]
            inputs = [node.input[position] for position in positions if position < len(node.input)]
            node.input[:] = inputs
            node.domain = ""
    try:
        return onnx.shape_inference.infer_shapes(copy, data_prop=True)
    except Exception:  # an unknown operator may stop inference: what the file says must do
        return model
