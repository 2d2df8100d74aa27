"""The inputs and outputs of a model."""

from dataclasses import dataclass

import onnx
from onnx import GraphProto, TensorProto

from edgekit.errors import ModelError

ANONYMOUS = "?"
"""The name of dynamic axes that have none."""


@dataclass(frozen=True)
class Port:
    """One input or output of a model."""

    name: str
    dtype: str
    """numpy's name: float32, int64."""
    shape: tuple[int | str, ...]
    """Numbers, or the names of dynamic axes."""


def batch_of_one(port: Port, shapes: dict[str, int]) -> tuple[int, ...]:
    """The shape of one sample: the first axis 1 where it is dynamic, other dynamic axes as named in `shapes`.

    Raises ModelError for a dynamic axis that nobody named.
    """
    sizes = []
    for axis, size in enumerate(port.shape):
        if isinstance(size, int) and size > 0:
            sizes.append(size)
        elif str(size) in shapes:
            sizes.append(shapes[str(size)])
        elif axis == 0:
            sizes.append(1)
        else:
            raise ModelError(
                f"input '{port.name}' has the dynamic axis '{size}'", f"say how long it is: --shape {size or axis}=128"
            )
    return tuple(sizes)


def inputs_of(graph: GraphProto) -> tuple[Port, ...]:
    constants = {tensor.name for tensor in graph.initializer}
    return tuple(port_of(each) for each in graph.input if each.name not in constants)


def outputs_of(graph: GraphProto) -> tuple[Port, ...]:
    return tuple(port_of(each) for each in graph.output)


def port_of(value: onnx.ValueInfoProto) -> Port:
    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type") or tensor.elem_type == TensorProto.UNDEFINED:
        return Port(value.name, "unknown", ())
    shape = tuple(d.dim_value if d.HasField("dim_value") else d.dim_param or ANONYMOUS for d in tensor.shape.dim)
    try:
        dtype = str(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    except KeyError:
        dtype = "unknown"
    return Port(value.name, dtype, shape)
