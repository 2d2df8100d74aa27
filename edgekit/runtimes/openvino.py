"""OpenVINO on this machine."""

from pathlib import Path
from typing import Any

from edgekit.arrays import Array
from edgekit.device.worker import Compiled, imported
from edgekit.errors import ModelError, all_lines
from edgekit.model.ports import Port, inputs_of, outputs_of
from edgekit.model.reading import load_model


class OpenvinoSession:
    """An ONNX file as an ONNX Runtime session, run by OpenVINO, floats as f32. Raises ModelError where it does not
    load."""

    def __init__(self, path: Path, threads: int = 0) -> None:
        graph = load_model(path).graph
        self.inputs, self.outputs = inputs_of(graph), outputs_of(graph)
        try:
            self.running: Any = Compiled(imported("openvino"), str(path), threads, "f32")
        except Exception as error:  # a RuntimeError of its frontend
            raise ModelError(
                f"openvino cannot load {path.name}: {all_lines(error)}", "look at its operators: edgekit inspect"
            ) from error

    def get_inputs(self) -> tuple[Port, ...]:
        return self.inputs

    def get_outputs(self) -> tuple[Port, ...]:
        return self.outputs

    def run(self, _: None, given: dict[str, Array]) -> list[Array]:
        return list(self.running.run(None, given))
