"""The shapes of a graph's tensors."""

from collections.abc import Mapping, Sequence
from math import prod

import onnx
from onnx import GraphProto, ModelProto, TensorProto, ValueInfoProto, inliner

from edgekit.errors import ModelError, last_line
from edgekit.model.constants import fold
from edgekit.model.operators import graphs, nodes, opset_of
from edgekit.model.ports import ANONYMOUS
from edgekit.model.standins import gives_floats, standardized

_SMALL = 1024
"""Elements. The shape of what Resize makes hangs on its scales, which are floats."""


def with_shapes(model: ModelProto) -> ModelProto:
    """The model with the shape of every inner tensor that can be inferred. Raises ModelError where shapes contradict
    each other."""
    del model.graph.value_info[:]
    try:
        return onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except onnx.shape_inference.InferenceError as error:
        raise ModelError(
            f"the shapes in the graph contradict each other: {last_line(error)}", "look at it with: edgekit inspect"
        ) from error


def for_one_sample(model: ModelProto, sizes: Mapping[str, int] | None = None) -> ModelProto:
    """A copy in which every tensor, of inner graphs, too, has the shape and type that it has for one sample, where they
    can be inferred: the dynamic first axes of the inputs are 1 wherever they go, others as named in `sizes`.

    The model's own functions are inlined, and large initializers have no values: it is good for reading alone.
    """
    copy = _skeleton(model)
    bound = {**_batch_axes(copy.graph), **(sizes or {})}
    for value in (*copy.graph.input, *copy.graph.output, *copy.graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in bound:
                dim.dim_value = bound[dim.dim_param]
    for value in copy.graph.input:
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if not dim.HasField("dim_value") and not dim.dim_param and (axis == 0 or ANONYMOUS in bound):
                dim.dim_value = bound.get(ANONYMOUS, 1)
    stored = [value for value in copy.graph.value_info if _shape(value) is not None]
    del copy.graph.value_info[:]
    _infer(copy)
    known = shapes_of(copy.graph)
    missing = [value for value in stored if value.name not in known]
    if missing:
        _state(copy.graph, missing)
        _infer(copy)
    while not _is_known(copy.graph) and fold(copy.graph, shapes_of(copy.graph), opset_of(copy)):
        _infer(copy)
    return copy


def shapes_of(graph: GraphProto) -> dict[str, tuple[int, ...]]:
    """The shapes by tensor that a graph states in full."""
    known: dict[str, tuple[int, ...]] = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.input, *graph.output, *graph.value_info):
        shape = _shape(value)
        if shape is not None:
            known[value.name] = shape
    return known


def types_of(graph: GraphProto) -> dict[str, int]:
    """The element types by tensor that a graph states."""
    known = {tensor.name: int(tensor.data_type) for tensor in graph.initializer}
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type:
            known[value.name] = value.type.tensor_type.elem_type
    return known


def known_shapes(model: ModelProto) -> dict[str, tuple[int, ...]]:
    """The shapes for one sample by tensor of the outer graph."""
    return shapes_of(for_one_sample(model).graph)


def _infer(model: ModelProto) -> None:
    """State the shapes and types that can be inferred, in inner graphs, too."""
    inferred = _inferred(model)
    if inferred is None:
        return
    for kept, found in zip(graphs(model.graph), graphs(inferred.graph), strict=True):
        del kept.value_info[:], kept.output[:]
        kept.value_info.extend(found.value_info)
        kept.output.extend(found.output)


def _is_known(graph: GraphProto) -> bool:
    """Whether the shape of every tensor is stated."""
    known = shapes_of(graph)
    return all(name in known for node in graph.node for name in node.output if name)


def _state(graph: GraphProto, values: Sequence[ValueInfoProto]) -> None:
    """State what a graph says of these tensors in the place of what it said before."""
    names = {value.name for value in values}
    kept = [value for value in graph.value_info if value.name not in names]
    del graph.value_info[:]
    graph.value_info.extend([*kept, *values])


def _shape(value: ValueInfoProto) -> tuple[int, ...] | None:
    tensor = value.type.tensor_type
    if not tensor.HasField("shape") or not all(dim.HasField("dim_value") for dim in tensor.shape.dim):
        return None
    return tuple(dim.dim_value for dim in tensor.shape.dim)


def _batch_axes(graph: GraphProto) -> dict[str, int]:
    """The names of the inputs' dynamic first axes, each with the size 1."""
    first = [value.type.tensor_type.shape.dim[0] for value in graph.input if value.type.tensor_type.shape.dim]
    return {dim.dim_param: 1 for dim in first if dim.dim_param}


def _skeleton(model: ModelProto) -> ModelProto:
    """A copy without the values of large floating-point initializers, which may be gigabytes; functions are inlined."""
    if model.functions:
        model = inliner.inline_local_functions(model)
    copy = ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    graph = model.graph
    copy.graph.name = graph.name
    for name in ("node", "input", "output", "value_info"):
        getattr(copy.graph, name).extend(getattr(graph, name))
    for tensor in graph.initializer:
        whole = prod(tensor.dims) <= _SMALL or tensor.data_type in (TensorProto.INT64, TensorProto.INT32)
        copy.graph.initializer.append(
            tensor if whole else TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
        )
    return copy


def _inferred(model: ModelProto) -> ModelProto | None:
    """A copy with inferred shapes, good for nothing else; None where an operator stops inference."""
    try:
        inferred = onnx.shape_inference.infer_shapes(standardized(model), data_prop=True)
    except Exception:  # what the file says must do
        return None
    floats = {node.output[0] for node in nodes(model.graph) if gives_floats(node)}
    for graph in graphs(inferred.graph):
        for value in (*graph.value_info, *graph.output):
            if value.name in floats:
                value.type.tensor_type.elem_type = TensorProto.FLOAT
    return inferred
