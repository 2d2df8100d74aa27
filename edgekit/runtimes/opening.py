"""Open a model file of either format on this machine."""

import sys
from pathlib import Path
from typing import Any

from edgekit.errors import ToolError
from edgekit.formats import format_of
from edgekit.host import installed_version, this_host
from edgekit.runtime_specs import RUNTIMES, RuntimeName, runtimes_of
from edgekit.runtimes.onnx_session import OnnxSession
from edgekit.runtimes.ort import session
from edgekit.runtimes.tflite import TfliteSession, tflite_runtime
from edgekit.target import Runtime
from edgekit.traits import Format
from edgekit.version import pip_install


def host_runtime(model_format: Format, wanted: str = "") -> Runtime:
    """The runtime for models of a format on this machine: the wanted one if it runs the format, else the default. For
    TFLite, another replaces one that is not installed. Raises ToolError if there is none."""
    if model_format is Format.TFLITE:
        return tflite_runtime(wanted)
    names = runtimes_of(Format.ONNX)
    return installed_runtime(wanted if wanted in names else names[0])


def installed_runtime(name: RuntimeName) -> Runtime:
    """A runtime in the version that is installed here. Raises ToolError if it is not installed."""
    version = installed_version(name)
    if not version:
        raise ToolError(f"{name} is not installed", _remedy(name))
    return Runtime(name=name, version=version)


def _remedy(name: RuntimeName) -> str:
    """How to install a runtime, or what to use instead."""
    spec, arch = RUNTIMES[name], this_host().arch
    is_too_new = spec.newest_python is not None and sys.version_info[:2] > spec.newest_python
    if is_too_new or arch not in spec.architectures:
        others = [other for other in runtimes_of(spec.format) if other != name]
        return f"it has no wheel for {'this Python' if is_too_new else arch}; use {' or '.join(others)}"
    return pip_install(spec.extra)


def host_runtimes() -> list[Runtime]:
    """All runtimes that are installed here."""
    return [installed_runtime(name) for name in RUNTIMES if installed_version(name)]


def open_session(path: Path, *, exact: bool = False, runtime: str = "") -> Any:
    """A session with ONNX Runtime's interface for a file, by `runtime` if that runs its format and is installed. With
    `exact`, no sum of 8-bit products in ONNX Runtime saturates. Raises ModelError for a file that cannot be loaded,
    ToolError if there is no runtime for its format."""
    chosen = host_runtime(format_of(path), runtime)
    if chosen.format is Format.TFLITE:
        return TfliteSession(path, chosen)
    return session(path, exact=exact) if chosen.spec.runs_exact else OnnxSession(path, chosen)
