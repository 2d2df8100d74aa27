"""Load ONNX models with ONNX Runtime. Sent to the device: it imports nothing of edgekit."""

from typing import Any


def open_model(runtime: Any, path: str, threads: int, floats: str, **options: Any) -> Any:  # noqa: ARG001 - one interface
    """A session on the CPU. `threads` 0 takes all cores; `options` are fields of SessionOptions."""
    settings = runtime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    settings.log_severity_level = 4
    for name, value in options.items():
        setattr(settings, name, value)
    return runtime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
