import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from edgekit.build import Build
from edgekit.errors import ModelError
from edgekit.model.counting import inspected
from edgekit.model.ports import Port
from tests.conftest import examples


def test_a_float_model_is_counted(conv_model: Path) -> None:
    found = inspected(conv_model)
    assert found.inputs == (Port("x", "float32", ("batch", 3, 6, 6)),)
    assert found.outputs == (Port("y", "float32", ("batch", 5)),)
    assert found.opset == {"ai.onnx": 17}
    assert found.parameters == 4 * 3 * 9 + 4 * 4 + 4 * 5 + 5
    assert found.macs == 6 * 6 * 4 * 27 + 4 * 5
    assert found.integer_operators == 0
    assert found.traits == ("float", "onnx", "portable")


def test_a_fused_integer_model_is_counted_like_the_float_one(built: Build) -> None:
    for each in built.targets:
        runs = {run.name: run for run in each.steps if run.role == "student"}
        plain, fused = inspected(runs["simplify"].artifact.path), inspected(runs["fuse"].artifact.path)
        assert fused.macs == plain.macs
        assert fused.parameters == plain.parameters
        assert set(fused.weight_types) == {"int8", "int32"}
        assert fused.float_operators == 0
        assert "integer" in fused.traits


@pytest.mark.parametrize(("transposed", "grouped"), [(False, False), (True, False), (False, True)])
def test_multiply_accumulates_follow_the_attributes(tmp_path: Path, transposed: bool, grouped: bool) -> None:
    weight = np.zeros((4, 6, 3, 3), np.float32) if not grouped else np.zeros((12, 1, 3, 3), np.float32)
    kind = "ConvTranspose" if transposed else "Conv"
    channels = 4 if transposed else 12 if grouped else 6
    group = 12 if grouped else 1
    graph = helper.make_graph(
        [helper.make_node(kind, ["x", "w"], ["y"], group=group)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, channels, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", "c", "h", "w"])],
        [numpy_helper.from_array(weight, "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "m.onnx")
    expected = 10 * 10 * 6 * 9 * 4 if transposed else 6 * 6 * 12 * 9 if grouped else 6 * 6 * 4 * 54
    assert inspected(tmp_path / "m.onnx").macs == expected


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x09", b"\x00" * 100])
def test_a_file_that_is_no_model_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(ModelError) as raised:
        inspected(tmp_path / "m.onnx")
    assert raised.value.hint


def test_an_absent_file_and_a_folder_are_told(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.onnx", tmp_path):
        with pytest.raises(ModelError):
            inspected(path)


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
        inspected(path)
    except ModelError as error:
        assert error.hint
    path.unlink()


def test_a_name_that_is_no_text_is_refused(conv_model: Path) -> None:
    """With onnx 1.18 its checker raised an error without a message."""
    content = conv_model.read_bytes()
    assert content.count(b"\x0a\x01f\x0a\x06weight") == 1
    conv_model.write_bytes(content.replace(b"\x0a\x01f\x0a\x06weight", b"\x0a\x01\xff\x0a\x06weight"))
    with pytest.raises(ModelError) as raised:
        inspected(conv_model)
    assert raised.value.hint
