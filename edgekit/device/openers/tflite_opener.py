"""Load TFLite models with tflite-runtime or its successor ai-edge-litert. Sent to the device: it imports nothing of
edgekit."""

from types import SimpleNamespace
from typing import Any


class Interpreted:
    """A .tflite model with the part of ONNX Runtime's interface that the worker uses. Inputs are named by tensor
    index."""

    def __init__(self, interpreter: Any, path: str, threads: int) -> None:
        self.running = interpreter.Interpreter(model_path=path, num_threads=threads or None)
        self.running.allocate_tensors()
        self.inputs = [each["index"] for each in self.running.get_input_details()]
        self.outputs = [each["index"] for each in self.running.get_output_details()]

    @property
    def manner(self) -> str:
        """Whose kernels run: XNNPACK's where it takes over operators, else the runtime's own."""
        delegated = any(each["op_name"] == "DELEGATE" for each in self.running._get_ops_details())
        return "XNNPACK" if delegated else "its own kernels"

    def get_inputs(self) -> "list[Any]":
        return [SimpleNamespace(name=index) for index in self.inputs]

    def run(self, _: None, given: "dict[Any, Any]") -> "list[Any]":
        for index, array in given.items():
            self.running.set_tensor(index, array)
        self.running.invoke()
        return [self.running.get_tensor(index) for index in self.outputs]


def open_model(runtime: Any, path: str, threads: int, floats: str) -> Interpreted:  # noqa: ARG001 - one interface
    """A session on the CPU. `threads` 0 leaves their number to the runtime; floats are computed in f32."""
    return Interpreted(runtime, path, threads)
