"""TFLite on this machine: tflite-runtime, or its successor ai-edge-litert."""

from importlib import import_module
from pathlib import Path
from typing import Any

from edgekit.arrays import Array
from edgekit.device.openers.tflite_opener import Interpreted
from edgekit.errors import ModelError, ToolError, all_lines
from edgekit.host import installed_version
from edgekit.model.ports import Port
from edgekit.runtime_specs import runtimes_of
from edgekit.target import Runtime
from edgekit.tflite.reading import TfliteFile, read_tflite, to_file_inputs, to_onnx_outputs
from edgekit.traits import Format
from edgekit.version import pip_install


def installed_runtimes() -> list[Runtime]:
    """The TFLite runtimes that are installed here, the one to prefer first."""
    found = {name: installed_version(name) for name in runtimes_of(Format.TFLITE)}
    return [Runtime(name=name, version=version) for name, version in found.items() if version]


def tflite_runtime(wanted: str = "") -> Runtime:
    """The TFLite runtime on this machine: the wanted one if it is installed, else another. Raises ToolError if there is
    none."""
    found = installed_runtimes()
    if not found:
        raise ToolError("no runtime for TFLite is installed", pip_install("litert"))
    return next((each for each in found if each.name == wanted), found[0])


class TfliteSession:
    """A .tflite file as an ONNX Runtime session: inputs and outputs by name, with axes in ONNX's order. Raises
    ModelError for a file that the runtime does not load."""

    def __init__(self, path: Path, runtime: Runtime, threads: int = 0) -> None:
        self.file: TfliteFile = read_tflite(path)
        try:
            self.running: Any = Interpreted(import_module(runtime.spec.module), str(path), threads)
        except Exception as error:  # the interpreter raises ValueError or RuntimeError
            raise ModelError(
                f"{runtime.name} cannot load {path.name}: {all_lines(error)}", "inspect its operators: edgekit inspect"
            ) from error

    def get_inputs(self) -> tuple[Port, ...]:
        return self.file.ports(self.file.inputs)

    def get_outputs(self) -> tuple[Port, ...]:
        return self.file.ports(self.file.outputs)

    def run(self, _: None, given: dict[str, Array]) -> list[Array]:
        arrays = to_file_inputs(self.file, [given[port.name] for port in self.get_inputs()])
        fed = dict(zip(self.running.inputs, arrays, strict=True))
        return to_onnx_outputs(self.file, self.running.run(None, fed))
