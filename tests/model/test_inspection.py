import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.builds.result import Build
from edgekit.errors import ModelError
from edgekit.model.inspection import inspect_model
from edgekit.model.ports import Port
from tests.conftest import examples


def test_a_float_model_is_counted(conv_model: Path) -> None:
    found = inspect_model(conv_model)
    assert found.inputs == (Port("x", "float32", ("batch", 3, 6, 6)),)
    assert found.outputs == (Port("y", "float32", ("batch", 5)),)
    assert found.opset == {"ai.onnx": 17}
    assert found.parameters == 4 * 3 * 9 + 2 * 4 + 4 * 5 + 5, "statistics are no parameters"
    assert found.weight_bytes == 4 * found.parameters
    assert found.activation_bytes is not None and found.activation_bytes >= 4 * (3 * 36 + 4 * 36)
    assert found.macs == 6 * 6 * 4 * 27 + 4 * 5
    assert found.integer_operators == 0
    assert found.traits == ("float", "onnx", "portable", "static")


def test_a_fused_integer_model_is_counted_like_the_float_one(built: Build) -> None:
    for each in built.targets:
        runs = {run.name: run for run in each.steps if run.role == "student"}
        plain, fused = inspect_model(runs["simplify"].artifact.path), inspect_model(runs["fuse"].artifact.path)
        assert fused.macs == plain.macs
        assert fused.parameters == plain.parameters
        assert set(fused.weight_types) == {"int8", "int32"}
        assert fused.float_operators == 0
        assert "integer" in fused.traits


def test_dynamic_axes_take_the_lengths_that_are_named(in_steps: Path) -> None:
    assert inspect_model(in_steps).macs is None and "the shape of" in inspect_model(in_steps).macs_unknown
    assert inspect_model(in_steps, {"steps": [7]}).macs == 7 * 16
    assert inspect_model(in_steps, {"steps": [7]}).macs_unknown == ""
    with pytest.raises(ModelError, match="no input and no dynamic axis has the name 'step'") as raised:
        inspect_model(in_steps, {"step": [7]})
    assert "steps" in raised.value.hint


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x09", b"\x00" * 100])
def test_a_file_that_is_no_model_is_reported(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(ModelError) as raised:
        inspect_model(tmp_path / "m.onnx")
    assert raised.value.hint


def test_an_absent_file_and_a_folder_are_reported(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.onnx", tmp_path):
        with pytest.raises(ModelError):
            inspect_model(path)


@settings(max_examples=examples(150))
@given(st.data())
def test_a_mutated_model_is_read_or_refused(conv_model: Path, left_behind: Path, data: st.DataObject) -> None:
    content = bytearray(conv_model.read_bytes())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    for _ in range(data.draw(st.integers(0, 8))):
        if content:
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = left_behind / f"mutated_{os.getpid()}.onnx"
    path.write_bytes(content)
    try:
        inspect_model(path)
    except ModelError as error:
        assert error.hint
    path.unlink()


def test_a_name_that_is_no_text_is_refused(conv_model: Path) -> None:
    """With onnx 1.18 its checker raised an error without a message."""
    content = conv_model.read_bytes()
    assert content.count(b"\x0a\x01f\x0a\x06weight") == 1
    conv_model.write_bytes(content.replace(b"\x0a\x01f\x0a\x06weight", b"\x0a\x01\xff\x0a\x06weight"))
    with pytest.raises(ModelError) as raised:
        inspect_model(conv_model)
    assert raised.value.hint
