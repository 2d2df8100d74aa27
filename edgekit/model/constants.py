"""Constant folding of small tensors: axes and lengths that shape inference needs."""

from collections.abc import Mapping
from math import prod

import numpy as np
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

from edgekit.arrays import Array
from edgekit.model.operators import is_standard

_ARITHMETIC = {
    "Abs", "Add", "And", "Cast", "Ceil", "Concat", "ConstantOfShape", "Div", "Equal", "Expand", "Flatten", "Floor",
    "Gather", "Greater", "GreaterOrEqual", "Identity", "Less", "LessOrEqual", "Max", "Min", "Mod", "Mul", "Neg", "Not",
    "Or", "Range", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceSum", "Reshape", "Round", "Slice", "Split", "Sqrt",
    "Squeeze", "Sub", "Tile", "Transpose", "Unsqueeze", "Where",
}  # fmt: skip
_SMALL = 64
"""Elements: tensors that describe shapes are not longer."""


def small_constants(graph: GraphProto) -> dict[str, Array]:
    """The small constants of a graph, initializers and Constant nodes, by tensor, in their stored shapes."""
    known: dict[str, Array] = {
        tensor.name: numpy_helper.to_array(tensor)
        for tensor in graph.initializer
        if prod(tensor.dims) <= _SMALL and _has_values(tensor)
    }
    for node in graph.node:
        if node.op_type == "Constant" and len(node.attribute) == 1:
            value = _constant(node)
            if value is not None and value.size <= _SMALL:
                known[node.output[0]] = value
    return known


def fold(graph: GraphProto, shapes: Mapping[str, tuple[int, ...]], opset: int) -> bool:
    """Replace operators on small tensors whose inputs are constants or known shapes by Constant nodes, in place.
    Returns whether there were any."""
    known = small_constants(graph)
    found = False
    for node in graph.node:
        values = _values(node, known, shapes, opset)
        if values is not None:
            known |= values
            if len(node.output) == 1:
                _replace(node, values[node.output[0]])
                found = True
    return found


def _values(
    node: NodeProto, known: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]], opset: int
) -> dict[str, Array] | None:
    """The outputs of a node; None if they are unknown or not small."""
    if not is_standard(node) or not node.input:
        return None
    if node.op_type in ("Shape", "Size") and node.input[0] in shapes:
        given = {node.input[0]: np.broadcast_to(np.float32(0), shapes[node.input[0]])}
    elif node.op_type in _ARITHMETIC and all(name in known for name in node.input if name):
        given = {name: known[name] for name in node.input if name}
    else:
        return None
    from onnx.reference import ReferenceEvaluator

    try:
        results = ReferenceEvaluator(node, opsets={"": opset}).run(None, given)
    except Exception:  # an operator that cannot be evaluated stays unknown
        return None
    if any(not isinstance(each, np.ndarray | np.generic) or np.size(each) > _SMALL for each in results):
        return None
    return {name: np.asarray(each) for name, each in zip(node.output, results, strict=True) if name}


def _constant(node: NodeProto) -> Array | None:
    value = node.attribute[0]
    match value.name:
        case "value":
            return np.asarray(numpy_helper.to_array(value.t))
        case "value_int":
            return np.array(value.i, np.int64)
        case "value_ints":
            return np.array(value.ints, np.int64)
        case "value_float":
            return np.array(value.f, np.float32)
        case "value_floats":
            return np.array(value.floats, np.float32)
    return None


def _replace(node: NodeProto, value: Array) -> None:
    node.op_type, node.domain = "Constant", ""
    del node.input[:], node.attribute[:]
    node.attribute.append(helper.make_attribute("value", numpy_helper.from_array(value)))


def _has_values(tensor: TensorProto) -> bool:
    """Whether a tensor contains its values and not only its shape."""
    stored = ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data")
    return not prod(tensor.dims) or any(len(getattr(tensor, name)) for name in stored)
