"""A model file of either format, ready to run on this machine."""

from pathlib import Path
from typing import Any

from edgekit.formats import format_of
from edgekit.host import installed_version
from edgekit.runtimes.ort import session
from edgekit.runtimes.tflite import TfliteSession, tflite_runtime
from edgekit.target import Runtime
from edgekit.traits import Format


def host_runtime(model_format: Format, wanted: str = "") -> Runtime:
    """What runs models of a format on this machine; of TFLite the runtime that is wanted, where it is installed. Raises
    ToolError where there is none."""
    if model_format is Format.TFLITE:
        return tflite_runtime(wanted)
    return Runtime(name="onnxruntime", version=installed_version("onnxruntime"))


def opened_file(path: Path, *, exact: bool = False, runtime: str = "") -> Any:
    """What runs a file, in ONNX Runtime's manner; with `exact`, no sum of 8-bit products of an ONNX file saturates. A
    .tflite file is run by `runtime` where that is installed. Raises ModelError for a file that cannot be loaded,
    ToolError where there is no runtime for its format."""
    if format_of(path) is Format.TFLITE:
        return TfliteSession(path, tflite_runtime(runtime))
    return session(path, exact=exact)
