"""The report of an unexpected error: what to send to edgekit's authors, without the user's data."""

import os
import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

import platformdirs

from edgekit.host import installed_version
from edgekit.version import __version__

_OWN = Path(__file__).parent.parent.parent
_PACKAGES = (
    *("numpy", "onnx", "onnxruntime", "onnxsim", "onnxslim"),
    *("torch", "torch-pruning", "ai-edge-litert", "tflite-runtime", "openvino"),
)
_MOST = 20
"""Older reports are removed."""


def write_crash_report(error: BaseException, arguments: Sequence[str]) -> Path | None:
    """Write a report of an error, and return its path; None if there is no place for it.

    It has the versions, the command with the names of its options, and the places in the code. It has no values of
    options, no message of the error, and no path or line of the user's own code.
    """
    name = f"crash-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    text = _report(error, arguments)
    for folder in (platformdirs.user_state_path("edgekit"), Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
            for older in sorted(folder.glob("crash-*.txt"))[:-_MOST]:
                older.unlink(missing_ok=True)
        except OSError:
            continue
        return folder / name
    return None


def _report(error: BaseException, arguments: Sequence[str]) -> str:
    versions = [f"{name} {version}" for name in _PACKAGES if (version := installed_version(name))]
    lines = [
        f"edgekit {__version__}",
        f"Python {platform.python_version()}, {platform.system()} {platform.release()}, {platform.machine()}",
        ", ".join(versions),
        f"command: edgekit {' '.join(_without_values(arguments))}",
    ]
    for each in _chain(error):
        lines += ["", f"{type(each).__module__}.{type(each).__qualname__}"]
        lines += [_place(frame) for frame in traceback.extract_tb(each.__traceback__)]
    return "\n".join(lines) + "\n"


def _without_values(arguments: Sequence[str]) -> list[str]:
    """The command and the names of options; "..." for anything else."""
    shown = [each if number == 0 else each.partition("=")[0] for number, each in enumerate(arguments)]
    return [each if number == 0 or each.startswith("-") else "..." for number, each in enumerate(shown)]


def _chain(error: BaseException) -> list[BaseException]:
    """The error, and those that led to it, the last one first."""
    found: list[BaseException] = []
    each: BaseException | None = error
    while each is not None and each not in found:
        found.append(each)
        each = each.__cause__ or each.__context__
    return found


def _place(frame: traceback.FrameSummary) -> str:
    path = Path(frame.filename)
    for root in (_OWN / "edgekit", *(Path(each) for each in sys.path if each.endswith("-packages"))):
        if path.is_relative_to(root):
            return f"  {path.relative_to(root.parent)}, line {frame.lineno}, in {frame.name}: {frame.line}"
    if path.is_relative_to(Path(os.__file__).parent):
        return f"  {path.name}, line {frame.lineno}, in {frame.name}"
    return f"  code of the user's, line {frame.lineno}"
