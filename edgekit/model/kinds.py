"""Which operators compute on integers, which on floats, and which only move numbers."""

from collections import Counter
from collections.abc import Mapping

from onnx import GraphProto, ModelProto, NodeProto, TensorProto

from edgekit.model.operators import FLOATS, INTEGER_OPERATORS, graphs, nodes
from edgekit.model.shapes import types_of

_CONVERSIONS = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "Cast", "CastLike"}

# What they give out are numbers that came in by the inputs in front (how many; None: all).
_MOVES: dict[str, int | None] = {
    "Concat": None, "Scatter": None, "ScatterElements": None, "ScatterND": None, "Where": None,
    **dict.fromkeys(
        (
            "CenterCropPad", "Compress", "DepthToSpace", "Dropout", "Expand", "Flatten", "Gather", "GatherElements",
            "GatherND", "Identity", "MaxPool", "Pad", "Reshape", "ReverseSequence", "Slice", "SpaceToDepth", "Split",
            "Squeeze", "Tile", "TopK", "Transpose", "Trilu", "Unsqueeze",
        ),
        1,
    ),
}  # fmt: skip

# They compute nothing either: comparisons, positions, constants, sequences, and control flow, whose bodies count.
_IDLE = {
    "And", "ArgMax", "ArgMin", "BitShift", "ConcatFromSequence", "Constant", "ConstantOfShape", "Equal", "EyeLike",
    "Greater", "GreaterOrEqual", "If", "IsInf", "IsNaN", "Less", "LessOrEqual", "Loop", "NonZero", "Not", "OneHot",
    "Or", "Range", "Scan", "SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert",
    "SequenceLength", "SequenceMap", "Shape", "Size", "SplitToSequence", "Unique", "Xor",
}  # fmt: skip


MOVES = "moves of floats between integers"


def operator_kinds(model: ModelProto, shaped: ModelProto) -> tuple[int, dict[str, int]]:
    """How many operators compute on integers, and how many of each type on floats; `shaped` is what `for_one_sample`
    makes of the model.

    Conversions between both, arithmetic on shapes and indices and what only moves numbers count as neither; but where
    such operators move floats between integer neighbours, what lies between the conversions counts as one on floats,
    under MOVES.
    """
    types: dict[str, int] = {}
    for graph in graphs(shaped.graph):
        types |= types_of(graph)
    integer = 0
    floating: Counter[str] = Counter()
    for node in nodes(model.graph):
        if node.op_type in INTEGER_OPERATORS:
            integer += 1
        elif node.op_type not in _MOVES.keys() | _IDLE | _CONVERSIONS and _may_be_float(node, types):
            floating[node.op_type] += 1
    floating[MOVES] = sum(_islands(graph) for graph in graphs(model.graph))
    return integer, {kind: count for kind, count in floating.most_common() if count}


def _may_be_float(node: NodeProto, types: Mapping[str, int]) -> bool:
    """Whether any of a node's tensors is of floats, or not known to be anything else."""
    kinds = {types.get(name, TensorProto.FLOAT) for name in (*node.input, *node.output) if name}
    return not kinds or bool(kinds & FLOATS)


def _islands(graph: GraphProto) -> int:
    """Moves of floats that only conversions from integers feed and only conversions to integers take: neighbours
    count as one."""
    makers = {name: node for node in graph.node for name in node.output if name}
    takers: dict[str, list[NodeProto]] = {}
    for node in graph.node:
        for name in node.input if node.op_type not in _MOVES else _moved(node):
            takers.setdefault(name, []).append(node)
    ends = {value.name for value in graph.output}
    seen: set[int] = set()
    count = 0
    for start in graph.node:
        island, sources, drains = _moves_around(start, makers, takers, seen)
        count += (
            sources == {"DequantizeLinear"}
            and drains == {"QuantizeLinear"}
            and not any(name in ends for node in island for name in node.output)
        )
    return count


def _moves_around(
    start: NodeProto, makers: Mapping[str, NodeProto], takers: Mapping[str, list[NodeProto]], seen: set[int]
) -> tuple[list[NodeProto], set[str], set[str]]:
    """The moves that hang together with one, not `seen` before, and the types of operators that feed them and take
    from them: those that only look at a shape or compare are left out."""
    found: list[NodeProto] = []
    sources, drains = set(), set()
    waiting = [start]
    while waiting:
        node = waiting.pop()
        if id(node) in seen or node.op_type not in _MOVES:
            continue
        seen.add(id(node))
        found.append(node)
        for name in _moved(node):
            if name in makers:
                waiting.append(makers[name])
                sources.add(makers[name].op_type)
        for taker in (each for name in node.output for each in takers.get(name, ())):
            waiting.append(taker)
            drains.add(taker.op_type)
    return found, sources - _MOVES.keys() - _IDLE, drains - _MOVES.keys() - _IDLE


def _moved(node: NodeProto) -> list[str]:
    """The inputs that a move passes on: not shapes, indices or conditions."""
    return [name for name in node.input[: _MOVES[node.op_type]] if name]
