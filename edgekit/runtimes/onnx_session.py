"""An ONNX file on this machine, run by another runtime than ONNX Runtime."""

from importlib import import_module
from pathlib import Path
from typing import Any

from edgekit.arrays import Array
from edgekit.device import openers
from edgekit.errors import ModelError, all_lines
from edgekit.model.ports import Port, inputs_of, outputs_of
from edgekit.model.reading import load_model
from edgekit.target import Runtime


class OnnxSession:
    """An ONNX file as an ONNX Runtime session, with floats in f32. Raises ModelError if it does not load."""

    def __init__(self, path: Path, runtime: Runtime, threads: int = 0) -> None:
        graph = load_model(path).graph
        self.inputs, self.outputs = inputs_of(graph), outputs_of(graph)
        opener: Any = import_module(f"{openers.__name__}.{runtime.spec.opener}")
        try:
            self.running: Any = opener.open_model(import_module(runtime.spec.module), str(path), threads, "f32")
        except Exception as error:  # the runtimes' exceptions have no common base class
            raise ModelError(
                f"{runtime.name} cannot load {path.name}: {all_lines(error)}", "inspect its operators: edgekit inspect"
            ) from error

    def get_inputs(self) -> tuple[Port, ...]:
        return self.inputs

    def get_outputs(self) -> tuple[Port, ...]:
        return self.outputs

    def run(self, _: None, given: dict[str, Array]) -> list[Array]:
        return list(self.running.run(None, given))
