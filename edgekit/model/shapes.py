"""The shapes of a graph's tensors."""

from collections.abc import Mapping, Sequence
from math import prod

import onnx
from onnx import GraphProto, ModelProto, TensorProto, TensorShapeProto, ValueInfoProto, inliner
from onnx.helper import make_tensor_value_info

from edgekit.model.constants import fold
from edgekit.model.contrib_operators import gives_floats, replace_contrib_operators, state_defaults
from edgekit.model.operators import graphs, nodes, opset_of
from edgekit.model.ports import inputs_of
from edgekit.model.sizes import Sizes, fill_sizes

Dimension = TensorShapeProto.Dimension

_SMALL = 1024
"""Elements. The output shape of Resize depends on its scales, which are floats."""
_MADE_UP = "unk__"
"""The prefix of names that inference gives to unknown lengths."""
_PRIMES = 1009, 1013, 1019, 1021
"""Lengths that do not occur in networks."""


def with_shapes(model: ModelProto) -> ModelProto:
    """A copy with all shapes that can be inferred for inner tensors and outputs. Lengths that depend on a named axis of
    an input are expressed by that name: `batch`, `6*batch`. The file's own annotations are used only where inference
    fails."""
    inferred = _infer_freely(model)
    names = list(dict.fromkeys(dim.dim_param for each in inferred.graph.input for dim in _dims(each) if dim.dim_param))
    if names and not _is_stated(inferred.graph):
        _state(inferred.graph, _symbolic(model, inferred.graph, names))
    return inferred


def for_one_sample(model: ModelProto, sizes: Sizes | None = None) -> ModelProto:
    """A copy in which every tensor, also in subgraphs, has the shape and type for one sample, if they can be inferred:
    batch axes are 1, other dynamic axes have the lengths in `sizes`. Raises ModelError for sizes that the inputs do not
    allow.

    The model's own functions are inlined, and large initializers have no values, so the copy is for reading only.
    """
    copy = _skeleton(model)
    ports = {port.name: port for port in fill_sizes(inputs_of(copy.graph), sizes or {})}
    bound = {}
    for value in copy.graph.input:
        for dim, size in zip(_dims(value), ports[value.name].shape if value.name in ports else (), strict=False):
            if isinstance(size, int):
                bound[dim.dim_param] = size
                dim.dim_value = size
    for value in (*copy.graph.output, *copy.graph.value_info):
        for dim in _dims(value):
            if dim.dim_param and dim.dim_param in bound:
                dim.dim_value = bound[dim.dim_param]
    stored = [_copy(value) for value in (*copy.graph.output, *copy.graph.value_info) if _shape(value) is not None]
    del copy.graph.value_info[:]
    for value in copy.graph.output:
        value.type.tensor_type.ClearField("shape")
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
    """The complete shapes that a graph states, by tensor."""
    known: dict[str, tuple[int, ...]] = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.input, *graph.output, *graph.value_info):
        shape = _shape(value)
        if shape is not None:
            known[value.name] = shape
    return known


def types_of(graph: GraphProto) -> dict[str, int]:
    """The element types that a graph states, by tensor."""
    known = {tensor.name: int(tensor.data_type) for tensor in graph.initializer}
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type:
            known[value.name] = value.type.tensor_type.elem_type
    return known


def known_shapes(model: ModelProto, sizes: Sizes | None = None) -> dict[str, tuple[int, ...]]:
    """The shapes of the outer graph's tensors for one sample, with dynamic axes of the lengths in `sizes`."""
    return shapes_of(for_one_sample(model, sizes).graph)


def _infer_freely(model: ModelProto) -> ModelProto:
    """A copy with inferred shapes. Of the file's annotations, only those of outputs that inference leaves open are
    kept."""
    free = ModelProto()
    free.CopyFrom(model)
    state_defaults(free)
    del free.graph.value_info[:]
    for value in free.graph.output:
        value.type.tensor_type.ClearField("shape")
    try:
        inferred = onnx.shape_inference.infer_shapes(free, data_prop=True)
    except Exception:  # an operator that inference does not support
        inferred = free
    for value, stated in zip(inferred.graph.output, model.graph.output, strict=True):
        if len(_dims(value)) != len(_dims(stated)):
            if not value.type.tensor_type.HasField("shape"):
                value.CopyFrom(stated)
            continue
        for dim, said in zip(_dims(value), _dims(stated), strict=True):
            if not _is_given(dim):
                dim.CopyFrom(said)
    return inferred


def _is_stated(graph: GraphProto) -> bool:
    """Whether every length of every tensor is stated, by a number or by a name that is not from inference."""
    stated = {value.name: value for value in (*graph.value_info, *graph.output)}
    return all(name in stated and _is_whole(stated[name]) for node in graph.node for name in node.output if name)


def _is_whole(value: ValueInfoProto) -> bool:
    return value.type.tensor_type.HasField("shape") and all(map(_is_given, _dims(value)))


def _is_given(dim: Dimension) -> bool:
    return dim.HasField("dim_value") or (bool(dim.dim_param) and not dim.dim_param.startswith(_MADE_UP))


def _symbolic(model: ModelProto, inferred: GraphProto, names: Sequence[str]) -> list[ValueInfoProto]:
    """The shapes of tensors that `inferred` does not state completely: each length constant, or proportional to one
    named axis. They are found by inference for several lengths of each axis."""
    stated = {value.name: value for value in (*inferred.value_info, *inferred.output)}
    lengths = dict(zip(names, _PRIMES, strict=False))
    values = {name: (size,) for name, size in lengths.items()}
    first = for_one_sample(model, values).graph
    shapes, types = shapes_of(first), types_of(first)
    others = {name: known_shapes(model, {**values, name: (2 * size,)}) for name, size in lengths.items()}
    found = []
    for name, shape in shapes.items():
        if name not in types or (name in stated and _is_whole(stated[name])):
            continue
        if any(len(each.get(name, ())) != len(shape) for each in others.values()):
            continue
        sizes: list[int | str | None] = []
        for axis, size in enumerate(shape):
            grown = {by: each[name][axis] for by, each in others.items() if each[name][axis] != size}
            sizes.append(size if not grown else _product(size, lengths, grown))
        found.append(make_tensor_value_info(name, types[name], sizes))
    return found


def _product(size: int, lengths: Mapping[str, int], grown: Mapping[str, int]) -> str | None:
    """A length as a multiple of the one axis that it grows with; None if there is none."""
    (name, other), *more = grown.items()
    if more or other != 2 * size or size % lengths[name]:
        return None
    return name if size == lengths[name] else f"{size // lengths[name]}*{name}"


def _infer(model: ModelProto) -> None:
    """State the shapes and types that can be inferred, also in subgraphs."""
    inferred = _infer_shapes(model)
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
    """Replace what a graph states of these inner tensors and outputs."""
    stated = {value.name: value for value in values}
    for output in graph.output:
        if output.name in stated:
            output.CopyFrom(stated.pop(output.name))
    kept = [value for value in graph.value_info if value.name not in stated]
    ports = {tensor.name for tensor in (*graph.input, *graph.initializer)}
    del graph.value_info[:]
    graph.value_info.extend([*kept, *(value for name, value in stated.items() if name not in ports)])


def _shape(value: ValueInfoProto) -> tuple[int, ...] | None:
    if not value.type.tensor_type.HasField("shape") or not all(dim.HasField("dim_value") for dim in _dims(value)):
        return None
    return tuple(dim.dim_value for dim in _dims(value))


def _copy(value: ValueInfoProto) -> ValueInfoProto:
    copy = ValueInfoProto()
    copy.CopyFrom(value)
    return copy


def _dims(value: ValueInfoProto) -> Sequence[Dimension]:
    return list(value.type.tensor_type.shape.dim)


def _skeleton(model: ModelProto) -> ModelProto:
    """A copy without the values of large float initializers, which may be gigabytes. Functions are inlined."""
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


def _infer_shapes(model: ModelProto) -> ModelProto | None:
    """A copy with inferred shapes, for reading only; None if an operator prevents inference."""
    try:
        inferred = onnx.shape_inference.infer_shapes(replace_contrib_operators(model), data_prop=True)
    except Exception:  # the file's own shapes must do
        return None
    floats = {node.output[0] for node in nodes(model.graph) if gives_floats(node)}
    for graph in graphs(inferred.graph):
        for value in (*graph.value_info, *graph.output):
            if value.name in floats:
                value.type.tensor_type.elem_type = TensorProto.FLOAT
    return inferred
