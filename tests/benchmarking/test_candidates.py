from pathlib import Path

import pytest

from edgekit.benchmarking import candidates
from edgekit.benchmarking.candidates import MissingCandidate, find_candidates, names_of
from edgekit.errors import ModelError, ToolError
from edgekit.runtimes.opening import installed_runtime
from edgekit.target import Runtime, RuntimeName
from edgekit.target_files import find_target

RPI4 = find_target("rpi4").copy_with(other_runtimes=(Runtime(name="openvino", version="2026.1.0"),))


def test_files_of_the_same_name_are_called_by_their_paths() -> None:
    assert names_of([Path("a/m.onnx"), Path("a/n.onnx")]) == ["m.onnx", "n.onnx"]
    assert names_of([Path("a/m.onnx"), Path("b/m.onnx")]) == ["a/m.onnx", "b/m.onnx"]


def test_without_words_the_models_are_left_to_the_runner(conv_model: Path, tmp_path: Path) -> None:
    (only,), absent = find_candidates([conv_model], (), None, tmp_path, here=True)
    assert (only.name, only.file, only.runtime, absent) == (conv_model.name, conv_model, None, [])


def test_a_target_names_its_runtimes_and_their_versions(conv_model: Path, tmp_path: Path) -> None:
    found, absent = find_candidates([conv_model], ["all"], RPI4, tmp_path, here=False)
    assert [each.runtime for each in found] == list(RPI4.runtimes) and not absent
    assert found[1].name == f"{conv_model.name}, openvino 2026.1.0"


def test_here_they_are_as_installed_and_those_that_are_not_are_reported(
    conv_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def installed(name: RuntimeName) -> Runtime:
        if name != "onnxruntime":
            raise ToolError(f"{name} is not installed", "install it")
        return installed_runtime(name)

    monkeypatch.setattr(candidates, "installed_runtime", installed)
    (only,), absent = find_candidates([conv_model], ["all"], RPI4, tmp_path, here=True)
    assert only.runtime == installed_runtime("onnxruntime")
    assert absent == [MissingCandidate(conv_model.name, "openvino", "openvino is not installed; install it")]


def test_a_file_that_is_no_model_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"bad\.onnx is not a readable ONNX model"):
        find_candidates([tmp_path / "bad.onnx"], ["all"], RPI4, tmp_path, here=False)


def test_openvino_computes_in_bf16_where_that_is_asked_for(conv_model: Path, tmp_path: Path) -> None:
    found, _ = find_candidates([conv_model], ["openvino:bf16", "openvino"], RPI4, tmp_path, here=False)
    assert [each.runtime.floats for each in found if each.runtime] == ["bf16", "f32"]
