"""The shapes of a graph's tensors."""

from collections.abc import Mapping, Sequence
from math import prod

import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from edgekit.errors import ModelError, last_line
from edgekit.model.constants import fold
from edgekit.model.operators import attribute, graphs

# The runtime's own operators: the standard one whose first output has the same shape, and which inputs it takes.
_STANDARD = {
    "FusedConv": ("Conv", (0, 1)),
    "FusedGemm": ("Gemm", (0, 1)),
    "QGemm": ("Gemm", (0, 3)),
    "FusedMatMul": ("MatMul", (0, 1)),
    "MatMulIntegerToFloat": ("MatMul", (0, 1)),
    "DynamicQuantizeMatMul": ("MatMul", (0, 1)),
    "GemmFastGelu": ("MatMul", (0, 1)),
    "DynamicQuantizeLSTM": ("LSTM", (0,)),
    "EmbedLayerNormalization": ("Gather", (2, 0)),
    "QLinearAdd": ("Add", (0, 3)),
    "QLinearMul": ("Mul", (0, 3)),
    "QLinearWhere": ("Where", (0, 1, 4)),
    "QLinearAveragePool": ("AveragePool", (0,)),
    "QLinearGlobalAveragePool": ("GlobalAveragePool", (0,)),
    "QuantizeLinear": ("QuantizeLinear", (0, 1, 2)),
    "DequantizeLinear": ("DequantizeLinear", (0, 1, 2)),
    **dict.fromkeys(
        (
            "QLinearSigmoid", "QLinearLeakyRelu", "QLinearSoftmax", "Gelu", "FastGelu", "QuickGelu", "BiasGelu",
            "BiasSoftmax", "BiasAdd", "RotaryEmbedding", "SkipLayerNormalization", "SkipSimplifiedLayerNormalization",
        ),
        ("Identity", (0,)),
    ),
}  # fmt: skip
_FLOAT_OUTPUTS = {"MatMulIntegerToFloat", "DynamicQuantizeMatMul", "QAttention"}
ANONYMOUS = "?"
"""The name of dynamic axes that have none."""
_SMALL = 1024
"""Elements. The shape of what Resize makes hangs on its scales, which are floats."""


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


def for_one_sample(model: ModelProto, sizes: Mapping[str, int] | None = None) -> ModelProto:
    """A copy in which every tensor, of inner graphs, too, has the shape and type that it has for one sample, where they
    can be inferred: the dynamic first axes of the inputs are 1 wherever they go, others as named in `sizes`.

    Its large initializers have no values: it is good for reading alone.
    """
    copy = _skeleton(model)
    bound = {**_batch_axes(copy.graph), **(sizes or {})}
    for value in (*copy.graph.input, *copy.graph.output, *copy.graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in bound:
                dim.dim_value = bound[dim.dim_param]
    for value in copy.graph.input:
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if not dim.HasField("dim_value") and not dim.dim_param and (axis == 0 or ANONYMOUS in bound):
                dim.dim_value = bound.get(ANONYMOUS, 1)
    stored = [value for value in copy.graph.value_info if _shape(value) is not None]
    del copy.graph.value_info[:]
    _infer(copy)
    known = shapes_of(copy.graph)
    missing = [value for value in stored if value.name not in known]
    if missing:
        _state(copy.graph, missing)
        _infer(copy)
    while not _is_known(copy.graph) and fold(copy.graph, shapes_of(copy.graph), _opset(copy)):
        _infer(copy)
    return copy


def shapes_of(graph: GraphProto) -> dict[str, tuple[int, ...]]:
    """The shapes by tensor that a graph states in full."""
    known: dict[str, tuple[int, ...]] = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.input, *graph.output, *graph.value_info):
        shape = _shape(value)
        if shape is not None:
            known[value.name] = shape
    return known


def types_of(graph: GraphProto) -> dict[str, int]:
    """The element types by tensor that a graph states."""
    known = {tensor.name: int(tensor.data_type) for tensor in graph.initializer}
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type:
            known[value.name] = value.type.tensor_type.elem_type
    return known


def known_shapes(model: ModelProto) -> dict[str, tuple[int, ...]]:
    """The shapes for one sample by tensor of the outer graph."""
    return shapes_of(for_one_sample(model).graph)


def _infer(model: ModelProto) -> None:
    """State the shapes and types that can be inferred, in inner graphs, too."""
    inferred = _inferred(model)
    if inferred is None:
        return
    for kept, found in zip(graphs(model.graph), graphs(inferred.graph), strict=True):
        del kept.value_info[:], kept.output[:]
        kept.value_info.extend(found.value_info)
        kept.output.extend(found.output)


def _is_known(graph: GraphProto) -> bool:
    """Whether the shape of every tensor is stated."""
    known = shapes_of(graph)
    return all(name in known for node in graph.node for name in node.output if name)


def _opset(model: ModelProto) -> int:
    return next((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), 1)


def _state(graph: GraphProto, values: Sequence[ValueInfoProto]) -> None:
    """State what a graph says of these tensors in the place of what it said before."""
    names = {value.name for value in values}
    kept = [value for value in graph.value_info if value.name not in names]
    del graph.value_info[:]
    graph.value_info.extend([*kept, *values])


def _shape(value: ValueInfoProto) -> tuple[int, ...] | None:
    tensor = value.type.tensor_type
    if not tensor.HasField("shape") or not all(dim.HasField("dim_value") for dim in tensor.shape.dim):
        return None
    return tuple(dim.dim_value for dim in tensor.shape.dim)


def _batch_axes(graph: GraphProto) -> dict[str, int]:
    """The names of the inputs' dynamic first axes, each with the size 1."""
    first = [value.type.tensor_type.shape.dim[0] for value in graph.input if value.type.tensor_type.shape.dim]
    return {dim.dim_param: 1 for dim in first if dim.dim_param}


def _skeleton(model: ModelProto) -> ModelProto:
    """A copy without the values of large floating-point initializers, which may be gigabytes."""
    copy = ModelProto()
    for field, value in model.ListFields():
        if field.name == "graph":
            continue
        if hasattr(value, "extend") or hasattr(value, "append"):
            getattr(copy, field.name).extend(value)
        elif hasattr(value, "CopyFrom"):
            getattr(copy, field.name).CopyFrom(value)
        else:
            setattr(copy, field.name, value)
    graph = model.graph
    copy.graph.name = graph.name
    for name in ("node", "input", "output", "value_info"):
        getattr(copy.graph, name).extend(getattr(graph, name))
    for tensor in graph.initializer:
        whole = prod(tensor.dims) <= _SMALL or tensor.data_type in (TensorProto.INT64, TensorProto.INT32)
        copy.graph.initializer.append(
            tensor if whole else TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
        )
    return copy


def _inferred(model: ModelProto) -> ModelProto | None:
    """A copy with inferred shapes, in which the runtime's own operators stand as the standard ones that shape inference
    knows: their outputs have the same shapes. It is good for nothing else. None where an operator stops inference."""
    copy = ModelProto()
    copy.CopyFrom(model)
    opset = _opset(copy)
    floats = set()
    for graph in graphs(copy.graph):
        for node in graph.node:
            if node.domain in ("", "ai.onnx"):
                continue
            if node.op_type in _FLOAT_OUTPUTS:
                floats.add(node.output[0])
            _standardize(graph, node, opset)
    try:
        inferred = onnx.shape_inference.infer_shapes(copy, data_prop=True)
    except Exception:  # what the file says must do
        return None
    for graph in graphs(inferred.graph):
        for value in (*graph.value_info, *graph.output):
            if value.name in floats:
                value.type.tensor_type.elem_type = TensorProto.FLOAT
    return inferred


def _standardize(graph: GraphProto, node: NodeProto, opset: int) -> None:
    """Put the standard operator whose first output has the same shape in the place of one of the runtime's own."""
    given = list(node.input)
    if attribute(node, "channels_last", 0):
        return
    if node.op_type in _STANDARD:
        kind, positions = _STANDARD[node.op_type]
        inputs = [given[position] for position in positions if position < len(given)]
    elif node.op_type == "QLinearConcat":
        kind, inputs = "Concat", given[2::3]
    elif node.op_type == "QLinearReduceMean":
        kind, inputs = "ReduceMean", given[:1]
        axes = next((list(each.ints) for each in node.attribute if each.name == "axes"), [])
        if opset >= 18 and axes:
            inputs.append(_constant(graph, f"{node.output[0]}/axes", TensorProto.INT64, [len(axes)], axes))
            _keep_attributes(node, "keepdims")
    elif node.op_type in ("Attention", "QAttention"):
        width = next((tensor.dims for tensor in graph.initializer if tensor.name == given[1]), None)
        if width is None or any(each.name == "qkv_hidden_sizes" for each in node.attribute):
            return
        sizes = [width[0], width[1] // 3]
        kind, inputs = "MatMul", [given[0], _constant(graph, f"{node.output[0]}/values", TensorProto.FLOAT, sizes)]
    elif node.op_type == "MatMulNBits":
        sizes = [attribute(node, "K", 0), attribute(node, "N", 0)]
        kind, inputs = "MatMul", [given[0], _constant(graph, f"{given[1]}/unpacked", TensorProto.FLOAT, sizes)]
    else:
        return
    if kind in ("Identity", "Gather"):
        _keep_attributes(node)
    node.op_type, node.domain = kind, ""
    node.input[:] = inputs
    if kind != "LSTM":
        del node.output[1:]


def _keep_attributes(node: NodeProto, *names: str) -> None:
    kept = [each for each in node.attribute if each.name in names]
    del node.attribute[:]
    node.attribute.extend(kept)


def _constant(graph: GraphProto, name: str, kind: int, dims: list[int], values: list[int] | None = None) -> str:
    if values is None:
        graph.initializer.append(TensorProto(name=name, data_type=kind, dims=dims))
    else:
        graph.initializer.append(helper.make_tensor(name, kind, dims, values))
    return name
