from pathlib import Path

from edgekit.runtimes.opening import opened_file


def test_an_onnx_file_is_opened_by_onnx_runtime(conv_model: Path) -> None:
    assert type(opened_file(conv_model)).__name__ == "InferenceSession"
