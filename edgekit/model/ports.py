"""The inputs and outputs of a model."""

from collections.abc import Sequence
from dataclasses import dataclass

import onnx
from onnx import GraphProto, TensorProto

ANONYMOUS = "?"
"""The name of unnamed dynamic axes."""


@dataclass(frozen=True)
class Port:
    """One input or output of a model."""

    name: str
    dtype: str
    """numpy's name of the type, such as float32 or int64; string, or unknown."""
    shape: tuple[int | str, ...]
    """Lengths, or the names of dynamic axes."""


def inputs_of(graph: GraphProto) -> tuple[Port, ...]:
    constants = {tensor.name for tensor in graph.initializer}
    return tuple(port_of(each) for each in graph.input if each.name not in constants)


def outputs_of(graph: GraphProto) -> tuple[Port, ...]:
    return tuple(port_of(each) for each in graph.output)


def fixed_batch(shape: Sequence[object]) -> int:
    """The length of the first axis if it is fixed, else 0."""
    return shape[0] if shape and isinstance(shape[0], int) else 0


def port_of(value: onnx.ValueInfoProto) -> Port:
    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type") or tensor.elem_type == TensorProto.UNDEFINED:
        return Port(value.name, "unknown", ())
    shape = tuple(_size(dim) for dim in tensor.shape.dim)
    try:
        dtype = str(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    except KeyError:
        dtype = "unknown"
    if tensor.elem_type == TensorProto.STRING:
        dtype = "string"
    return Port(value.name, dtype, shape)


def _size(dim: onnx.TensorShapeProto.Dimension) -> int | str:
    """A length or a name. Old exporters write -1 for an unknown length."""
    if dim.HasField("dim_value") and dim.dim_value >= 0:
        return int(dim.dim_value)
    return dim.dim_param or ANONYMOUS
