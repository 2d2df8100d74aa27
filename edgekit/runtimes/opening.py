"""A model file of either format, ready to run on this machine."""

import sys
from pathlib import Path
from typing import Any, get_args

from edgekit.errors import ToolError
from edgekit.formats import format_of
from edgekit.host import installed_version
from edgekit.runtimes.openvino import OpenvinoSession
from edgekit.runtimes.ort import session
from edgekit.runtimes.tflite import TfliteSession, tflite_runtime
from edgekit.target import Runtime, RuntimeName
from edgekit.traits import Format

_EXTRAS: dict[RuntimeName, str] = {"openvino": "openvino", "ai-edge-litert": "litert", "tflite-runtime": "tflite"}
"""Of edgekit, that bring runtimes along."""


def host_runtime(model_format: Format, wanted: str = "") -> Runtime:
    """What runs models of a format on this machine; the runtime that is wanted, where that runs the format. Of TFLite
    another stands in where that is not installed. Raises ToolError where there is none."""
    if model_format is Format.TFLITE:
        return tflite_runtime(wanted)
    return named_runtime("openvino" if wanted == "openvino" else "onnxruntime")


def named_runtime(name: RuntimeName) -> Runtime:
    """A runtime as it is installed here. Raises ToolError where it is not."""
    version = installed_version(name)
    if not version:
        newer = name == "tflite-runtime" and sys.version_info >= (3, 12)
        hint = "it has no wheel for this Python; its successor is ai-edge-litert" if newer else _install_hint(name)
        raise ToolError(f"{name} is not installed", hint)
    return Runtime(name=name, version=version)


def _install_hint(name: RuntimeName) -> str:
    extra = _EXTRAS.get(name)
    return f"pip install 'edgekit{f'[{extra}]' if extra else ''}'"


def host_runtimes() -> list[Runtime]:
    """All that are installed here."""
    names: tuple[RuntimeName, ...] = get_args(RuntimeName)
    return [named_runtime(name) for name in names if installed_version(name)]


def opened_file(path: Path, *, exact: bool = False, runtime: str = "") -> Any:
    """What runs a file, in ONNX Runtime's manner, by `runtime` where that is of its format and installed; with `exact`,
    no sum of 8-bit products in ONNX Runtime saturates. Raises ModelError for a file that cannot be loaded, ToolError
    where there is no runtime for its format."""
    chosen = host_runtime(format_of(path), runtime)
    if chosen.format is Format.TFLITE:
        return TfliteSession(path, chosen)
    return OpenvinoSession(path) if chosen.name == "openvino" else session(path, exact=exact)
