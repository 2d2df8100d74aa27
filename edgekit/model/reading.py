"""ONNX files read, checked and written."""

from pathlib import Path

import onnx
from onnx import ModelProto

from edgekit.errors import ModelError, first_line
from edgekit.files import write_bytes
from edgekit.model.operators import nodes

_DIVISORS = {"group", "strides", "dilations", "kernel_shape"}


def load_model(path: Path) -> ModelProto:
    """The model in a file, checked. Raises ModelError for anything that is no sound ONNX model."""
    if not path.exists():
        raise ModelError(f"there is no file {path}", "check the path")
    if path.is_dir():
        raise ModelError(f"{path} is a folder, not a model", "name the .onnx file itself")
    try:
        model = onnx.load(str(path))
    except Exception as error:  # protobuf's DecodeError, onnx's external-data errors, memory
        raise ModelError(
            f"{path} is no readable ONNX model: it is truncated, damaged or of another format", "export it again"
        ) from error
    if not model.graph.node and not model.graph.output:
        raise ModelError(f"{path} is no ONNX model: it holds no graph", "name an .onnx file")
    _check_divisors(model, path)
    try:
        # The checker knows only the standard domains: a fused graph is checked by the runtime that loads it.
        if all(each.domain in ("", "ai.onnx", "ai.onnx.ml") for each in model.opset_import):
            onnx.checker.check_model(model)
    except Exception as error:
        raise ModelError(f"{path} is not a valid ONNX model: {first_line(error)}", "export it again") from error
    return model


def _check_divisors(model: ModelProto, path: Path) -> None:
    """onnx's shape inference divides by these without looking, and takes the process down with it."""
    for node in nodes(model.graph):
        for attribute in node.attribute:
            values = [attribute.i, *attribute.ints] if attribute.name == "group" else list(attribute.ints)
            if attribute.name in _DIVISORS and (min(values, default=1) <= 0):
                raise ModelError(
                    f"{path} is not a valid ONNX model: {attribute.name} is {min(values)}", "export it again"
                )


def strip_annotations(path: Path) -> None:
    """Take out what no runtime reads: the exporter's stack traces, doc strings, metadata."""
    model = load_model(path)
    for node in nodes(model.graph):
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info, *model.graph.initializer):
        value.ClearField("doc_string")
        value.ClearField("metadata_props")
    model.graph.ClearField("doc_string")
    model.graph.ClearField("metadata_props")
    model.ClearField("metadata_props")
    save_model(model, path)


def save_model(model: ModelProto, path: Path) -> None:
    """Write a model whole or not at all."""
    write_bytes(path, model.SerializeToString())
