from pathlib import Path

import pytest

from edgekit.errors import ToolError
from edgekit.runtimes import opening
from edgekit.runtimes.opening import host_runtime, host_runtimes, installed_runtime, open_session
from edgekit.traits import Format


def test_an_onnx_file_is_opened_by_onnx_runtime(conv_model: Path) -> None:
    assert type(open_session(conv_model)).__name__ == "InferenceSession"
    assert type(open_session(conv_model, runtime="ai-edge-litert")).__name__ == "InferenceSession"


def test_those_that_are_installed_are_found_with_their_versions() -> None:
    found = host_runtimes()
    assert found[0] == installed_runtime("onnxruntime") == host_runtime(Format.ONNX, "tflite-runtime")
    assert len({each.name for each in found}) == len(found)


def test_one_that_is_not_installed_is_told_with_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "installed_version", lambda _: "")
    with pytest.raises(ToolError, match="openvino is not installed") as raised:
        host_runtime(Format.ONNX, "openvino")
    assert raised.value.hint == "pip install '.[openvino]' in edgekit's checkout"


def test_where_there_is_no_wheel_of_one_its_successor_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "installed_version", lambda _: "")
    monkeypatch.setattr(opening.sys, "version_info", (3, 12, 0))
    with pytest.raises(ToolError, match="tflite-runtime is not installed") as raised:
        installed_runtime("tflite-runtime")
    assert "ai-edge-litert" in raised.value.hint
