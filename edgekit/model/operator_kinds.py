"""Classify operators: integer computation, float computation, or data movement."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from onnx import GraphProto, ModelProto, NodeProto, TensorProto

from edgekit.model.operators import FLOATS, INTEGER_OPERATORS, graphs, nodes
from edgekit.model.shapes import types_of

CONVERSIONS = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "Cast", "CastLike"}

# Their outputs consist of values from their first inputs (how many; None for all).
_MOVES: dict[str, int | None] = {
    "Concat": None, "Scatter": None, "ScatterElements": None, "ScatterND": None, "Where": None,
    **dict.fromkeys(
        (
            "CenterCropPad", "Compress", "DepthToSpace", "Dropout", "Expand", "Flatten", "Gather", "GatherElements",
            "GatherND", "Identity", "MaxPool", "Pad", "Reshape", "Resize", "ReverseSequence", "Slice",
            "SpaceToDepth", "Split", "Squeeze", "Tile", "TopK", "Transpose", "Trilu", "Unsqueeze",
        ),
        1,
    ),
}  # fmt: skip

# They compute no values: comparisons, positions, constants, sequences, and control flow, whose bodies are counted.
_IDLE = {
    "And", "ArgMax", "ArgMin", "BitShift", "ConcatFromSequence", "Constant", "ConstantOfShape", "Equal", "EyeLike",
    "Greater", "GreaterOrEqual", "If", "IsInf", "IsNaN", "Less", "LessOrEqual", "Loop", "NonZero", "Not", "OneHot",
    "Or", "Range", "Scan", "SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert",
    "SequenceLength", "SequenceMap", "Shape", "Size", "SplitToSequence", "Unique", "Xor",
}  # fmt: skip


NOT_COMPUTING = frozenset({*_MOVES, *_IDLE, *CONVERSIONS})

MOVES = "data movement of floats between integer operators"


@dataclass(frozen=True)
class OperatorKinds:
    """The number of integer and float operators of a model."""

    integer: int
    floating: dict[str, int]
    """By type, the most frequent first."""
    islands: dict[str, int]
    """Float islands (float operators between a dequantization and a quantization): their number by the operator types
    of each, in the graph's order."""


def operator_kinds(model: ModelProto, shaped: ModelProto) -> OperatorKinds:
    """Count the operators of a model; `shaped` is the result of `for_one_sample`.

    Conversions, arithmetic on shapes and indices, and data-movement operators are not counted. But if data-movement
    operators move floats between integer neighbours, each such float island counts as one float operator under MOVES.
    """
    types: dict[str, int] = {}
    for graph in graphs(shaped.graph):
        types |= types_of(graph)
    integer = 0
    floating: Counter[str] = Counter()
    for node in nodes(model.graph):
        if node.op_type in INTEGER_OPERATORS:
            integer += 1
        elif _computes_on_floats(node, types):
            floating[node.op_type] += 1
    islands = [island for graph in graphs(model.graph) for island in _islands(graph, types)]
    floating[MOVES] = sum(all(map(_moves, island)) for island in islands)
    return OperatorKinds(
        integer,
        {kind: count for kind, count in floating.most_common() if count},
        dict(Counter(_describe(island) for island in islands).most_common()),
    )


def _moves(node: NodeProto) -> bool:
    """Whether a node only moves data. A Resize with interpolation does not."""
    modes = [each.s for each in node.attribute if each.name == "mode"] if node.op_type == "Resize" else []
    return node.op_type in _MOVES and set(modes) <= {b"nearest"}


def _computes_on_floats(node: NodeProto, types: Mapping[str, int]) -> bool:
    """Whether a node computes, and one of its tensors is float or of unknown type."""
    if _moves(node) or node.op_type in _IDLE | CONVERSIONS | INTEGER_OPERATORS:
        return False
    kinds = {types.get(name, TensorProto.FLOAT) for name in (*_value_inputs(node), *node.output) if name}
    return not kinds or bool(kinds & FLOATS)


def _islands(graph: GraphProto, types: Mapping[str, int]) -> list[list[NodeProto]]:
    """The connected groups of float and data-movement operators whose only neighbours are conversions, in the graph's
    order."""
    makers = {name: node for node in graph.node for name in node.output if name}
    takers: dict[str, list[NodeProto]] = {}
    for node in graph.node:
        for name in _value_inputs(node):
            takers.setdefault(name, []).append(node)
    ends = {value.name for value in graph.output}
    stored = {tensor.name for tensor in graph.initializer}
    seen: set[int] = set()
    found = []
    for start in graph.node:
        island, sources, drains = _around(start, makers, takers, types, seen)
        if (
            sources == {"DequantizeLinear"}
            and drains == {"QuantizeLinear"}
            and not any(name in ends for node in island for name in node.output)
            and all(name in makers or name in stored for node in island for name in _value_inputs(node))
        ):
            inner = {id(node) for node in island}
            found.append([node for node in graph.node if id(node) in inner])
    return found


def _around(
    start: NodeProto,
    makers: Mapping[str, NodeProto],
    takers: Mapping[str, list[NodeProto]],
    types: Mapping[str, int],
    seen: set[int],
) -> tuple[list[NodeProto], set[str], set[str]]:
    """The float and data-movement operators connected with a node that were not `seen` before, and the types of the
    operators before and after them, except for those that only read shapes or compare."""
    found: list[NodeProto] = []
    sources: list[NodeProto] = []
    drains: list[NodeProto] = []
    waiting = [start]
    while waiting:
        node = waiting.pop()
        if id(node) in seen or not (_moves(node) or _computes_on_floats(node, types)):
            continue
        seen.add(id(node))
        found.append(node)
        feeding = [makers[name] for name in _value_inputs(node) if name in makers]
        taking = [each for name in node.output for each in takers.get(name, ())]
        waiting += [*feeding, *taking]
        sources += feeding
        drains += taking
    return found, _outer(sources, found), _outer(drains, found)


def _outer(neighbours: list[NodeProto], island: list[NodeProto]) -> set[str]:
    """The types of an island's neighbours outside it, except for those that only read shapes or compare."""
    inner = {id(node) for node in island}
    return {node.op_type for node in neighbours if id(node) not in inner} - _IDLE


def _value_inputs(node: NodeProto) -> list[str]:
    """The inputs whose values a node computes with or moves: not shapes, indices, factors or conditions."""
    return [name for name in node.input[: _MOVES.get(node.op_type)] if name]


def _describe(island: list[NodeProto]) -> str:
    return ", ".join(dict.fromkeys(node.op_type for node in island))
