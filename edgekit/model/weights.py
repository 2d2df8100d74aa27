"""The weights that a graph stores: in initializers, constants, and tensors filled with one value."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from onnx import FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto, numpy_helper

from edgekit.model.operators import FLOATS, INTEGERS, attribute, graphs

# Inputs that are not weights: scales, zero points, statistics, shapes, axes, indices, limits, states.
_NO_WEIGHTS: dict[str, slice] = {
    "QuantizeLinear": slice(1, None), "DequantizeLinear": slice(1, None), "MatMulNBits": slice(2, 5),
    "ConvInteger": slice(2, 4), "MatMulInteger": slice(2, 4), "MatMulIntegerToFloat": slice(2, 6),
    "DynamicQuantizeMatMul": slice(2, 4), "DynamicQuantizeLSTM": slice(8, 12), "QAttention": slice(3, None),
    "BatchNormalization": slice(3, 5), "LSTM": slice(4, 7), "GRU": slice(4, 6), "RNN": slice(4, 6),
    "If": slice(0, 1), "Loop": slice(0, 2), "Where": slice(0, 1), "Range": slice(0, None),
    "ConstantOfShape": slice(0, None), "NonMaxSuppression": slice(2, None), "OneHot": slice(1, None),
    "Resize": slice(1, None), "Upsample": slice(1, None), "Clip": slice(1, None), "Pow": slice(1, None),
    "Dropout": slice(1, None),
    **dict.fromkeys(
        (
            "ArgMax", "Compress", "CumSum", "Expand", "Gather", "GatherElements", "GatherND", "Pad", "ReduceL1",
            "ReduceL2", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum",
            "ReduceSumSquare", "Reshape", "RoiAlign", "Slice", "Split", "Squeeze", "Tile", "TopK", "Trilu", "Unsqueeze",
        ),
        slice(1, None),
    ),
    **dict.fromkeys(("Scatter", "ScatterElements", "ScatterND"), slice(1, 2)),
    **dict.fromkeys(("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"), slice(0, None)),
}  # fmt: skip
_QLINEAR_WEIGHTS = {
    "QLinearConv": (3, 8), "QLinearMatMul": (0, 3), "QGemm": (0, 3, 6), "QLinearAdd": (0, 3), "QLinearMul": (0, 3),
    "QLinearWhere": (1, 4),
}  # fmt: skip

# Where a tensor with a single repeated value is a weight: biases of zero, factors of one.
_WEIGHTS = {
    "Conv": (1, 2), "ConvTranspose": (1, 2), "Gemm": (1, 2), "MatMul": (0, 1), "FusedConv": (1, 2),
    "FusedGemm": (1, 2), "FusedMatMul": (0, 1), "LSTM": (1, 2, 3, 7), "GRU": (1, 2, 3), "RNN": (1, 2, 3),
    "BatchNormalization": (1, 2), "InstanceNormalization": (1, 2), "LayerNormalization": (1, 2),
    "GroupNormalization": (1, 2), "PRelu": (1,),
}  # fmt: skip
_BITS = {"float": 32, "double": 64, "bool": 8, "string": 64, "complex64": 64, "complex128": 128}
_SCALING = {"Mul", "Div", "Sub", "Min", "Max"}


@dataclass(frozen=True)
class Weight:
    """A trained tensor."""

    name: str
    kind: str
    """Its element type in lower case: float, int8."""
    size: int
    """Its number of elements."""

    @property
    def bytes(self) -> int:
        return -(-self.size * kind_bits(self.kind) // 8)


Uses = Mapping[str, list[tuple[NodeProto, int]]]
"""The readers of each tensor: nodes and input positions."""


def weights(model: ModelProto) -> list[Weight]:
    """The weights of a model, including subgraphs and its own functions, each once.

    Scales, zero points, batch-norm statistics, shapes, indices and scalars are excluded: constants without axes, and
    those that only multiply.
    """
    inner = list(graphs(model.graph))
    uses = _uses(inner)
    found = [each for graph in inner for each in _of_initializers(graph, uses)]
    found += [each for graph in inner for each in _of_nodes(graph, uses)]
    return found + [each for function in model.functions for each in _of_nodes(function, _uses([function]))]


def _uses(places: Iterable[GraphProto | FunctionProto]) -> Uses:
    found: dict[str, list[tuple[NodeProto, int]]] = {}
    for place in places:
        for node in place.node:
            for position, name in enumerate(node.input):
                found.setdefault(name, []).append((node, position))
    return found


def _of_initializers(graph: GraphProto, uses: Uses) -> Iterator[Weight]:
    for tensor in graph.initializer:
        packed = next((node for node, i in uses.get(tensor.name, ()) if node.op_type == "MatMulNBits" and i == 1), None)
        if packed is not None:
            size = attribute(packed, "K", 0) * attribute(packed, "N", 0)
            yield Weight(tensor.name, f"int{attribute(packed, 'bits', 4)}", size)
        elif _is_stored(tensor.data_type) and _is_weight(tensor.name, tensor.dims, uses):
            yield Weight(tensor.name, kind_name(tensor.data_type), prod(tensor.dims))


def _of_nodes(place: GraphProto | FunctionProto, uses: Uses) -> Iterator[Weight]:
    """Weights produced by nodes: Constant, and ConstantOfShape where a weight is expected."""
    lengths = {tensor.name: tensor for tensor in getattr(place, "initializer", ())}
    for node in place.node:
        value = next((each for each in node.attribute if each.name in ("value", "value_floats")), None)
        if node.op_type == "Constant" and value is not None:
            name = node.output[0]
            dims, kind = (value.t.dims, value.t.data_type) if value.name == "value" else ([len(value.floats)], 1)
            lengths[name] = value.t
            if _is_stored(kind) and _is_weight(name, dims, uses):
                yield Weight(name, kind_name(kind), prod(dims))
        elif node.op_type == "ConstantOfShape" and node.input[0] in lengths:
            kind = value.t.data_type if value is not None else TensorProto.FLOAT
            if any(i in _WEIGHTS.get(user.op_type, ()) for user, i in uses.get(node.output[0], ())):
                size = prod(int(each) for each in numpy_helper.to_array(lengths[node.input[0]]))
                yield Weight(node.output[0], kind_name(kind), size)


def _is_weight(name: str, dims: Sequence[int], uses: Uses) -> bool:
    """Whether any node reads it as a weight."""
    single = prod(dims) == 1
    return bool(dims) and any(
        _takes_weight(*use) and not (single and use[0].op_type in _SCALING) for use in uses.get(name, ())
    )


def _takes_weight(node: NodeProto, position: int) -> bool:
    if node.op_type == "QLinearConcat":
        return position >= 2 and position % 3 == 2
    if node.op_type.startswith("QLinear") or node.op_type == "QGemm":
        return position in _QLINEAR_WEIGHTS.get(node.op_type, ())
    return position not in range(*_NO_WEIGHTS.get(node.op_type, slice(0, 0)).indices(len(node.input)))


def _is_stored(kind: int) -> bool:
    return kind in FLOATS | INTEGERS | {TensorProto.INT32}


def kind_name(kind: int) -> str:
    """The name of an element type, in lower case."""
    return str(TensorProto.DataType.Name(kind)).lower()


def kind_bits(kind: str) -> int:
    """The bits of one element of a type; for strings, those of a pointer."""
    if kind in _BITS:
        return _BITS[kind]
    result = re.search(r"\d+", kind)
    return int(result.group()) if result else 64
