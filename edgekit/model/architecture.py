"""Classify a graph in the terms of the interaction table."""

from onnx import ModelProto

from edgekit.model.operators import nodes
from edgekit.traits import Architecture

_PASSING = frozenset({"Cast", "Dropout", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze", "Where", "Mul"})
"""Operators that may appear between a softmax and the matrix product of attention."""
_ATTENTION = frozenset({"Attention", "MultiHeadAttention", "GroupQueryAttention", "PackedAttention"})


def architecture_of(model: ModelProto) -> Architecture:
    """A transformer if scores go through a softmax into a matrix product; a CNN if there are convolutions."""
    kinds = {node.op_type for node in nodes(model.graph)}
    if kinds & _ATTENTION or _attends(model):
        return "transformer"
    return "cnn" if kinds & {"Conv", "ConvTranspose"} else "other"


def _attends(model: ModelProto) -> bool:
    weighted: set[str] = set()
    for node in nodes(model.graph):
        if node.op_type == "Softmax" or (node.op_type in _PASSING and weighted & set(node.input)):
            weighted.update(node.output)
        elif node.op_type in ("MatMul", "Einsum") and weighted & set(node.input):
            return True
    return False
