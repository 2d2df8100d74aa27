"""A model file of either format, ONNX or TFLite, by its suffix."""

from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.errors import ModelError
from edgekit.traits import Format

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgekit.model.inspection import Inspection
    from edgekit.model.ports import Port
    from edgekit.model.sizes import Sizes


def format_of(path: Path) -> Format:
    return Format.TFLITE if path.suffix == ".tflite" else Format.ONNX


def inspect_file(path: Path, sizes: "Sizes | None" = None) -> "Inspection":
    """What can be read from a model file, with dynamic axes of the lengths in `sizes`. Raises ModelError for an invalid
    model, and for sizes that its inputs do not allow."""
    if format_of(path) is Format.TFLITE:
        from edgekit.tflite.inspection import tflite_inspection

        check_sizes(path, sizes)
        return tflite_inspection(path)
    from edgekit.model import inspection

    return inspection.inspect_model(path, sizes)


def ports_of(path: Path) -> "tuple[tuple[Port, ...], tuple[Port, ...]]":
    """The inputs and outputs of a model file, with axes in ONNX's order. Raises ModelError for an invalid model."""
    if format_of(path) is Format.TFLITE:
        from edgekit.tflite.reading import read_tflite

        found = read_tflite(path)
        return found.ports(found.inputs), found.ports(found.outputs)
    from edgekit.model.ports import inputs_of, outputs_of
    from edgekit.model.reading import load_model

    graph = load_model(path).graph
    return inputs_of(graph), outputs_of(graph)


def check_sizes(path: Path, sizes: "Sizes | None", ports: "Sequence[Port]" = ()) -> None:
    """Raises ModelError if sizes are given for a .tflite file, whose shapes are fixed, or if one of its ports has
    none."""
    if format_of(path) is Format.TFLITE and any(isinstance(size, str) for port in ports for size in port.shape):
        raise ModelError(f"{path.name} has an input without a fixed shape", "convert the model with fixed shapes")
    if sizes and format_of(path) is Format.TFLITE:
        raise ModelError(f"{path.name} has fixed shapes", "omit --shape, or convert the model again")
