from pathlib import Path

import onnx
import pytest
from onnx import helper

from edgekit.errors import ModelError
from edgekit.model.inspection import inspect_model
from edgekit.model.reading import load_model, strip_annotations


def test_annotations_are_taken_out(conv_model: Path) -> None:
    model = onnx.load(conv_model)
    model.graph.node[0].doc_string = "a stack trace"
    model.graph.node[0].metadata_props.add(key="k", value="v")
    model.metadata_props.add(key="k", value="v")
    onnx.save(model, conv_model)
    strip_annotations(conv_model)
    model = onnx.load(conv_model)
    assert not model.graph.node[0].doc_string
    assert not model.graph.node[0].metadata_props and not model.metadata_props


def test_what_the_source_says_of_itself_stays(conv_model: Path, tmp_path: Path) -> None:
    """The characters that a reader of text may find, which it takes from the file; names of axes that a tool gave."""
    source = onnx.load(conv_model)
    source.metadata_props.add(key="characters", value="abc")
    (size,) = source.graph.input
    size.type.tensor_type.shape.dim[0].ClearField("value")
    onnx.save(source, tmp_path / "source.onnx")
    strip_annotations(conv_model, tmp_path / "source.onnx")
    model = onnx.load(conv_model)
    assert [(each.key, each.value) for each in model.metadata_props] == [("characters", "abc")]
    assert model.graph.input == source.graph.input


@pytest.mark.parametrize(("name", "value"), [("strides", [0, 1]), ("dilations", [0, 0]), ("group", 0)])
def test_a_division_by_zero_in_a_damaged_file_is_refused(conv_model: Path, name: str, value: object) -> None:
    """onnx's shape inference would end the whole process with SIGFPE."""
    model = onnx.load(conv_model)
    model.graph.node[0].attribute.append(helper.make_attribute(name, value))
    onnx.save(model, conv_model)
    with pytest.raises(ModelError, match=f"{name} is 0"):
        inspect_model(conv_model)


def test_outputs_without_shapes_are_inferred(conv_model: Path) -> None:
    """Runtimes load such files."""
    model = onnx.load(conv_model)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    onnx.save(model, conv_model)
    (output,) = load_model(conv_model).graph.output
    assert [each.dim_param or each.dim_value for each in output.type.tensor_type.shape.dim] == ["batch", 5]


@pytest.mark.parametrize("message", ["", "\n", "field 'name' is wrong\n\nand more"])
def test_a_checker_without_words_is_understood(conv_model: Path, monkeypatch: pytest.MonkeyPatch, message: str) -> None:
    def check(_: onnx.ModelProto) -> None:
        raise onnx.checker.ValidationError(message)

    monkeypatch.setattr(onnx.checker, "check_model", check)
    with pytest.raises(ModelError, match=r"is not a valid ONNX model: (ValidationError|field 'name' is wrong)$"):
        load_model(conv_model)


def test_a_tflite_file_is_told_as_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"\x20\x00\x00\x00TFL3" + bytes(64))
    with pytest.raises(ModelError, match="is a TFLite model"):
        load_model(tmp_path / "m.onnx")
