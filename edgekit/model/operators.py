"""The operators of a graph, and which of them compute on integers."""

from collections import Counter
from collections.abc import Iterator

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto

FLOATS = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16}

INTEGERS = {TensorProto.INT8, TensorProto.UINT8, TensorProto.INT4, TensorProto.UINT4}

PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
"""Operators with weights that dominate a model's time."""

INTEGER_OPERATORS = {
    "QLinearConv", "QLinearMatMul", "QGemm", "QLinearAdd", "QLinearMul", "QLinearConcat", "QLinearGlobalAveragePool",
    "QLinearAveragePool", "QLinearSigmoid", "QLinearLeakyRelu", "QLinearSoftmax", "QLinearReduceMean", "QLinearWhere",
    "ConvInteger", "MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM",
    "QAttention", "MatMulNBits",
}  # fmt: skip


def operator_counts(model: ModelProto) -> Counter[str]:
    """The number of nodes by operator type, including subgraphs and the model's own functions."""
    found = Counter(node.op_type for node in nodes(model.graph))
    for function in model.functions:
        found.update(node.op_type for node in function.node)
    return found


def graphs(graph: GraphProto) -> Iterator[GraphProto]:
    """A graph and its control-flow subgraphs."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                yield from graphs(attribute.g)
            for inner in attribute.graphs:
                yield from graphs(inner)


def nodes(graph: GraphProto) -> Iterator[NodeProto]:
    """The nodes of a graph and of its control-flow subgraphs."""
    for each in graphs(graph):
        yield from each.node


def is_standard(node: NodeProto) -> bool:
    """Whether the ONNX standard defines the node's operator."""
    return node.domain in ("", "ai.onnx")


def opset_of(model: ModelProto) -> int:
    """The version of the standard operator set."""
    return next((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), 1)


def attribute(node: NodeProto, name: str, default: int) -> int:
    return next((each.i for each in node.attribute if each.name == name), default)
