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
    """What can be read in a model file, dynamic axes as long as `sizes` tells. Raises ModelError for a file that is no
    sound model, and for sizes that its inputs cannot have."""
    if format_of(path) is Format.TFLITE:
        from edgekit.tflite.inspection import tflite_inspection

        check_sizes(path, sizes)
        return tflite_inspection(path)
    from edgekit.model import inspection

    return inspection.inspect_model(path, sizes)


def ports_of(path: Path) -> "tuple[tuple[Port, ...], tuple[Port, ...]]":
    """The inputs and outputs of a model file, their axes in ONNX's order. Raises ModelError where it is no sound
    model."""
    if format_of(path) is Format.TFLITE:
        from edgekit.tflite.reading import read_tflite

        found = read_tflite(path)
        return found.ports(found.inputs), found.ports(found.outputs)
    from edgekit.model.ports import inputs_of, outputs_of
    from edgekit.model.reading import load_model

    graph = load_model(path).graph
    return inputs_of(graph), outputs_of(graph)


def check_sizes(path: Path, sizes: "Sizes | None", ports: "Sequence[Port]" = ()) -> None:
    """Raises ModelError for sizes that are told of a .tflite file, and for ports of one whose sizes are not."""
    if format_of(path) is Format.TFLITE and any(isinstance(size, str) for port in ports for size in port.shape):
        raise ModelError(f"{path.name} has an input of no fixed shape", "convert the model with fixed shapes")
    if sizes and format_of(path) is Format.TFLITE:
        raise ModelError(
            f"{path.name} has the shapes that it was written with", "leave --shape out, or convert it anew"
        )
