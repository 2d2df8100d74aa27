"""Contrib operators and standard equivalents with the same output shapes, which shape inference supports."""

from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper

from edgekit.model.operators import attribute, graphs, is_standard, nodes, opset_of

# The standard operator whose first output has the same shape, and which inputs it takes.
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


def replace_contrib_operators(model: ModelProto) -> ModelProto:
    """A copy in which each known contrib operator is replaced by a standard operator whose first output has the same
    shape. It is for shape inference only."""
    copy = ModelProto()
    copy.CopyFrom(model)
    state_defaults(copy)
    opset = opset_of(copy)
    for graph in graphs(copy.graph):
        for node in graph.node:
            if not is_standard(node):
                _standardize(graph, node, opset)
    return copy


def state_defaults(model: ModelProto) -> None:
    """State STFT's default, one-sided, explicitly: onnx 1.18 otherwise infers the shape of the two-sided form."""
    for node in nodes(model.graph):
        if node.op_type == "STFT" and is_standard(node) and attribute(node, "onesided", -1) == -1:
            node.attribute.append(helper.make_attribute("onesided", 1))


def gives_floats(node: NodeProto) -> bool:
    """Whether a contrib operator returns floats, whatever type its equivalent would have."""
    return not is_standard(node) and node.op_type in _FLOAT_OUTPUTS


def _standardize(graph: GraphProto, node: NodeProto, opset: int) -> None:
    """Replace a contrib operator by the standard operator whose first output has the same shape."""
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
