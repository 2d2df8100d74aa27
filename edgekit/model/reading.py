"""Read, check and write ONNX files."""

from contextlib import suppress
from pathlib import Path

import onnx
import onnx.shape_inference
from onnx import ModelProto, TensorProto, external_data_helper

from edgekit.errors import ModelError, first_line
from edgekit.files import write_bytes
from edgekit.model.operators import graphs, nodes
from edgekit.model.ports import Port, inputs_of, outputs_of
from edgekit.paths import is_there

_TFLITE = b"TFL3"
"""The identifier in bytes 4 to 7."""
_MOST_BYTES = 2**31 - 1
"""The limit of a protobuf message."""
_DIVISORS = {"group", "strides", "dilations", "kernel_shape"}


def load_model(path: Path) -> ModelProto:
    """The checked model in a file. Raises ModelError for anything that is not a valid ONNX model."""
    if not is_there(path):
        raise ModelError(f"there is no file {path}", "check the path")
    if path.is_dir():
        raise ModelError(f"{path} is a folder, not a model", "give the .onnx file itself")
    model = _read(path)
    _take_weights_in(model, path)
    _check_divisors(model, path)
    _infer_outputs(model)
    try:
        # The checker knows only the standard domains. A fused graph is checked by the runtime that loads it.
        if all(each.domain in ("", "ai.onnx", "ai.onnx.ml") for each in model.opset_import):
            onnx.checker.check_model(model)
    except Exception as error:
        raise ModelError(f"{path} is not a valid ONNX model: {first_line(error)}", "export it again") from error
    return model


def weight_files(path: Path) -> tuple[Path, ...]:
    """The external weight files of a model. Raises ModelError if the model cannot be read or a file is missing."""
    return _weight_files(_read(path), path)


def ports_of(path: Path) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """The inputs and outputs of the model in a file, without further checks. Raises ModelError if it cannot be read."""
    graph = _read(path).graph
    return inputs_of(graph), outputs_of(graph)


def _read(path: Path) -> ModelProto:
    """The model without external weights."""
    if not path.is_file():
        raise ModelError(f"{path} is a pipe or a device, not a model", "give an .onnx file")
    size = path.stat().st_size
    if size > _MOST_BYTES:
        raise ModelError(
            f"{path} has {size / 1e9:.1f} GB, but one ONNX file holds at most 2 GB", "give the .onnx file itself"
        )
    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf's DecodeError, memory
        if path.read_bytes()[4:8] == _TFLITE:
            raise ModelError(f"{path} is a TFLite model", "give the .onnx file that it was converted from") from error
        raise ModelError(
            f"{path} is not a readable ONNX model: it is truncated, damaged or in another format", "export it again"
        ) from error
    if not model.graph.node and not model.graph.output:
        raise ModelError(f"{path} is not an ONNX model: it has no graph", "give an .onnx file")
    return model


def _weight_files(model: ModelProto, path: Path) -> tuple[Path, ...]:
    names = {
        entry.value for tensor in _external_tensors(model) for entry in tensor.external_data if entry.key == "location"
    }
    found = tuple(path.parent / name for name in sorted(names))
    for each in found:
        if not each.is_relative_to(path.parent) or ".." in each.relative_to(path.parent).parts:
            raise ModelError(
                f"{path} stores weights in {first_line(str(each))}, which is outside its folder", "export it again"
            )
        if not each.is_file():
            raise ModelError(
                f"{path} stores weights in {each.name}, which does not exist", "put that file beside the model"
            )
    return found


def _external_tensors(model: ModelProto) -> list[TensorProto]:
    """The tensors of a model that are stored in files of their own: initializers, and attributes of nodes, also in
    subgraphs and functions."""
    every = list(graphs(model.graph))
    for function in model.functions:
        inner = [attribute for node in function.node for attribute in node.attribute]
        every += [graph for each in inner for part in (each.g, *each.graphs) for graph in graphs(part)]
    attributes = [
        attribute for group in (*every, *model.functions) for node in group.node for attribute in node.attribute
    ]
    sparse = [each for graph in every for each in graph.sparse_initializer]
    for attribute in attributes:
        sparse += [attribute.sparse_tensor, *attribute.sparse_tensors]
    tensors = [tensor for graph in every for tensor in graph.initializer]
    tensors += [tensor for attribute in attributes for tensor in (attribute.t, *attribute.tensors)]
    tensors += [tensor for each in sparse for tensor in (each.values, each.indices)]
    return [tensor for tensor in tensors if external_data_helper.uses_external_data(tensor)]


def _take_weights_in(model: ModelProto, path: Path) -> None:
    found = _weight_files(model, path)
    size = sum(each.stat().st_size for each in (path, *found))
    if size >= _MOST_BYTES:
        raise ModelError(
            f"{path} has {size / 1e9:.1f} GB with its weights, but one ONNX file holds at most 2 GB",
            "a device's runtime loads a single file: start from a smaller model",
        )
    if not found:
        return
    try:
        for tensor in _external_tensors(model):
            external_data_helper.load_external_data_for_tensor(tensor, str(path.parent))
            tensor.data_location = TensorProto.DEFAULT
            del tensor.external_data[:]
    except Exception as error:  # onnx's C++ core raises exceptions without a common base class
        raise ModelError(f"the weights beside {path} cannot be read: {first_line(error)}", "export it again") from error


def _check_divisors(model: ModelProto, path: Path) -> None:
    """Check attributes by which onnx's shape inference divides: a zero there crashes the process."""
    for node in nodes(model.graph):
        for attribute in node.attribute:
            values = [attribute.i, *attribute.ints] if attribute.name == "group" else list(attribute.ints)
            if attribute.name in _DIVISORS and (min(values, default=1) <= 0):
                raise ModelError(
                    f"{path} is not a valid ONNX model: {attribute.name} is {min(values)}", "export it again"
                )


def _infer_outputs(model: ModelProto) -> None:
    """Set output shapes by inference where the file has none: the checker needs them."""
    bare = [each for each in model.graph.output if not each.type.tensor_type.HasField("shape")]
    if not bare:
        return
    with suppress(Exception):  # onnx's C++ core raises exceptions without a common base class
        inferred = {each.name: each for each in onnx.shape_inference.infer_shapes(model).graph.output}
        for each in bare:
            each.CopyFrom(inferred[each.name])


def strip_annotations(path: Path, source: Path | None = None) -> None:
    """Remove what no runtime reads: stack traces, doc strings, metadata of exporters and tools. The axis names and
    metadata of `source`, from which the file was made, are kept."""
    model = load_model(path)
    take_annotations_off(model, load_model(source) if source is not None else None)
    save_model(model, path)


def take_annotations_off(model: ModelProto, source: ModelProto | None = None) -> None:
    """The same for a model in memory."""
    for node in nodes(model.graph):
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info, *model.graph.initializer):
        value.ClearField("doc_string")
        value.ClearField("metadata_props")
    model.graph.ClearField("doc_string")
    model.graph.ClearField("metadata_props")
    model.ClearField("metadata_props")
    if source is not None:
        _declare(model, source)


def _declare(model: ModelProto, source: ModelProto) -> None:
    """Copy input shapes and metadata from the source model."""
    model.metadata_props.extend(source.metadata_props)
    said = {value.name: value.type.tensor_type for value in source.graph.input}
    for value in model.graph.input:
        if value.name in said and said[value.name].HasField("shape"):
            value.type.tensor_type.shape.CopyFrom(said[value.name].shape)


def save_model(model: ModelProto, path: Path) -> None:
    """Write a model atomically."""
    write_bytes(path, model.SerializeToString())
