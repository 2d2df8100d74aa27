"""Compile ONNX models with OpenVINO. Sent to the device: it imports nothing of edgekit."""

from types import SimpleNamespace
from typing import Any


class Compiled:
    """A model compiled for the CPU, with the part of ONNX Runtime's interface that the worker uses."""

    def __init__(self, openvino: Any, path: str, threads: int, floats: str) -> None:
        self.manner = f"floats as {floats}"
        core = openvino.Core()
        wanted = {"INFERENCE_PRECISION_HINT": floats, "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": "1"}
        if threads:
            wanted["INFERENCE_NUM_THREADS"] = str(threads)
        self.compiled = core.compile_model(core.read_model(path), "CPU", wanted)
        self.request = self.compiled.create_infer_request()

    def get_inputs(self) -> "list[Any]":
        return [SimpleNamespace(name=each.get_any_name()) for each in self.compiled.inputs]

    def run(self, _: None, given: "dict[str, Any]") -> "list[Any]":
        self.request.infer(given, share_inputs=True)
        return [self.request.get_tensor(each).data.copy() for each in self.compiled.outputs]


def open_model(runtime: Any, path: str, threads: int, floats: str) -> Compiled:
    """A session on the CPU. `threads` 0 leaves their number to the runtime; floats are computed in `floats`: f32 or
    bf16."""
    return Compiled(runtime, path, threads, floats)
