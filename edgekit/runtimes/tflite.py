"""TFLite on this machine: tflite-runtime, or its successor ai-edge-litert."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from edgekit.arrays import Array
from edgekit.errors import ModelError, ToolError, all_lines
from edgekit.measuring.worker import Interpreted, imported
from edgekit.model.ports import Port
from edgekit.tflite.reading import TfliteFile, moved_in, moved_out, read_tflite

RUNTIMES = ("ai-edge-litert", "tflite-runtime")


def installed_version(runtime: str) -> str | None:
    """The version of a runtime that this Python has; None where it has none."""
    try:
        return version(runtime)
    except PackageNotFoundError:
        return None


def installed_runtimes() -> list[str]:
    """Those for .tflite files that this Python has."""
    return [name for name in RUNTIMES if installed_version(name)]


def host_runtime(wanted: str = "") -> str:
    """The runtime for .tflite files here: the one that is wanted where it is installed, else another of them. Raises
    ToolError where there is none."""
    found = installed_runtimes()
    if found:
        return wanted if wanted in found else found[0]
    raise ToolError("no runtime for TFLite is installed", "pip install 'edgekit[litert]'")


class TfliteSession:
    """A .tflite file as an ONNX Runtime session: inputs and outputs by name, their axes in ONNX's order. Raises
    ModelError for a file that the runtime does not load."""

    def __init__(self, path: Path, runtime: str, threads: int = 0) -> None:
        self.file: TfliteFile = read_tflite(path)
        try:
            self.running: Any = Interpreted(imported(runtime), str(path), threads)
        except Exception as error:  # a ValueError or RuntimeError of the interpreter
            raise ModelError(
                f"{runtime} cannot load {path.name}: {all_lines(error)}", "look at its operators: edgekit inspect"
            ) from error

    def get_inputs(self) -> tuple[Port, ...]:
        return self.file.ports(self.file.inputs)

    def get_outputs(self) -> tuple[Port, ...]:
        return self.file.ports(self.file.outputs)

    def run(self, _: None, given: dict[str, Array]) -> list[Array]:
        arrays = moved_in(self.file, [given[port.name] for port in self.get_inputs()])
        fed = dict(zip(self.running.inputs, arrays, strict=True))
        return moved_out(self.file, self.running.run(None, fed))
