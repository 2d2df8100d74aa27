"""What the operators of a graph are: which multiply matrices, which compute on integers, where their weights stand."""

from collections.abc import Iterator

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto

_FLOATS = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16}


INTEGERS = {TensorProto.INT8, TensorProto.UINT8, TensorProto.INT4, TensorProto.UINT4}


# Where each operator that multiplies matrices keeps its weight among its inputs.
WEIGHT_INPUT = {
    "Conv": 1, "FusedConv": 1, "NhwcFusedConv": 1, "ConvInteger": 1, "QLinearConv": 3, "ConvTranspose": 1,
    "Gemm": 1, "FusedGemm": 1, "QGemm": 3,
    "MatMul": 1, "FusedMatMul": 1, "MatMulInteger": 1, "MatMulIntegerToFloat": 1, "DynamicQuantizeMatMul": 1,
    "QLinearMatMul": 3,
}  # fmt: skip


INTEGER_OPERATORS = {
    "QLinearConv", "QLinearMatMul", "QGemm", "QLinearAdd", "QLinearMul", "QLinearConcat", "QLinearGlobalAveragePool",
    "QLinearAveragePool", "QLinearSigmoid", "QLinearLeakyRelu", "QLinearSoftmax", "QLinearReduceMean", "QLinearWhere",
    "ConvInteger", "MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "QAttention", "MatMulNBits",
}  # fmt: skip


def operator_kinds(model: ModelProto) -> tuple[int, int]:
    """How many operators compute on integers and how many on floats; conversions between both and pure
    rearrangements (Reshape, Transpose) count as neither."""
    neutral = {
        "QuantizeLinear", "DequantizeLinear", "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Identity",
        "Shape", "Gather", "Concat", "Slice", "Constant", "Cast", "Pad", "MaxPool",
    }  # fmt: skip
    integer = floating = 0
    for node in nodes(model.graph):
        if node.op_type in INTEGER_OPERATORS:
            integer += 1
        elif node.op_type not in neutral:
            floating += 1
    return integer, floating


def nodes(graph: GraphProto) -> Iterator[NodeProto]:
    """The nodes of a graph and of the graphs inside its control flow."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                yield from nodes(attribute.g)
            for inner in attribute.graphs:
                yield from nodes(inner)


def weights(graph: GraphProto) -> list[TensorProto]:
    """The initializers that are weights: not scales, zero points, shapes or indices."""
    helpers = set()
    for node in nodes(graph):
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            helpers.update(node.input[1:])
        elif node.op_type.startswith("QLinear") or node.op_type == "QGemm":
            position = WEIGHT_INPUT.get(node.op_type)
            bias = {"QLinearConv": 8, "QGemm": 6}.get(node.op_type)
            helpers.update(name for i, name in enumerate(node.input) if i not in (position, bias))
        elif node.op_type in (
            "Reshape",
            "Slice",
            "Unsqueeze",
            "Squeeze",
            "Pad",
            "Resize",
            "Expand",
            "Tile",
            "ReduceMean",
        ):
            helpers.update(node.input[1:])
    stored = _FLOATS | INTEGERS | {TensorProto.INT32}
    return [tensor for tensor in graph.initializer if tensor.data_type in stored and tensor.name not in helpers]


def attribute(node: NodeProto, name: str, default: int) -> int:
    return next((each.i for each in node.attribute if each.name == name), default)
