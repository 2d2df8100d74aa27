"""A model file of either format, ready to run on this machine."""

from pathlib import Path
from typing import Any

from edgekit.formats import format_of
from edgekit.traits import Format


def opened_file(path: Path, *, exact: bool = False, runtime: str = "") -> Any:
    """What runs a file, in ONNX Runtime's manner; with `exact`, no sum of 8-bit products of an ONNX file saturates. A
    .tflite file is run by `runtime` where that is installed. Raises ModelError for a file that cannot be loaded,
    ToolError where there is no runtime for its format."""
    if format_of(path) is Format.TFLITE:
        from edgekit.runtimes.tflite import TfliteSession, host_runtime

        return TfliteSession(path, host_runtime(runtime))
    from edgekit.runtimes.ort import session

    return session(path, exact=exact)
