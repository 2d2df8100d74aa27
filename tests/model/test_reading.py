import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

from edgekit.errors import ModelError
from edgekit.model.importing import file_digest
from edgekit.model.inspection import inspect_model
from edgekit.model.reading import load_model, strip_annotations, weight_files


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


def _constant(weights: onnx.TensorProto) -> onnx.NodeProto:
    return helper.make_node("Constant", [], ["w"], value=weights)


def _in_a_branch(weights: onnx.TensorProto) -> onnx.NodeProto:
    output = helper.make_tensor_value_info("branch", onnx.TensorProto.FLOAT, [3])
    copy = helper.make_node("Identity", ["w"], ["branch"])
    branch = helper.make_graph([_constant(weights), copy], "g", [], [output])
    return helper.make_node("If", ["yes"], ["w"], then_branch=branch, else_branch=branch)


def _initializer_of_a_branch(weights: onnx.TensorProto) -> onnx.NodeProto:
    output = helper.make_tensor_value_info("branch", onnx.TensorProto.FLOAT, [3])
    branch = helper.make_graph([helper.make_node("Identity", ["w"], ["branch"])], "g", [], [output], [weights])
    return helper.make_node("If", ["yes"], ["w"], then_branch=branch, else_branch=branch)


@pytest.fixture(params=[_constant, _in_a_branch, _initializer_of_a_branch])
def split_model(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """x + w, with the values of w, 0 to 2, in the file weights beside the model."""
    weights = onnx.TensorProto(name="w", data_type=onnx.TensorProto.FLOAT, dims=[3])
    weights.data_location = onnx.TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="weights")
    (tmp_path / "weights").write_bytes(np.arange(3, dtype=np.float32).tobytes())
    nodes = [
        helper.make_node("Constant", [], ["yes"], value=helper.make_tensor("", onnx.TensorProto.BOOL, [], [True])),
        request.param(weights),
        helper.make_node("Add", ["x", "w"], ["y"]),
    ]
    x, y = (helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [3]) for name in "xy")
    model = helper.make_model(helper.make_graph(nodes, "g", [x], [y]), opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    return tmp_path / "m.onnx"


def test_weights_beside_the_model_are_read_wherever_they_are_used(
    split_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    assert weight_files(split_model) == (tmp_path / "weights",)
    before = file_digest(split_model)
    whole = load_model(split_model)
    zeros = np.zeros(3, np.float32)
    assert ReferenceEvaluator(whole).run(None, {"x": zeros})[0].tolist() == [0, 1, 2]
    (tmp_path / "weights").write_bytes(np.ones(3, np.float32).tobytes())
    assert file_digest(split_model) != before


def test_weights_are_not_looked_for_in_the_working_directory(
    split_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (tmp_path / "weights").rename(elsewhere / "weights")
    monkeypatch.chdir(elsewhere)
    with pytest.raises(ModelError, match="stores weights in weights, which does not exist"):
        load_model(split_model)


@pytest.mark.parametrize("place", ["/etc/hostname", "../weights", "sub/../../weights"])
def test_weights_outside_the_models_folder_are_refused(conv_model: Path, place: str) -> None:
    model = onnx.load(conv_model)
    tensor = model.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=place)
    conv_model.write_bytes(model.SerializeToString())
    for read in (load_model, weight_files):
        with pytest.raises(ModelError, match="which is outside its folder"):
            read(conv_model)


def test_a_pipe_is_no_model(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "m.onnx")
    with pytest.raises(ModelError, match="is a pipe or a device"):
        load_model(tmp_path / "m.onnx")
