from pathlib import Path

import numpy as np
import pytest

from edgekit.builds.result import Build
from edgekit.errors import ModelError, StepError
from edgekit.model.operators import INTEGER_OPERATORS
from edgekit.model.reading import load_model, save_model
from edgekit.runtimes.forms import form_for
from edgekit.runtimes.opening import open_session
from edgekit.runtimes.ort import session_outputs
from edgekit.target import Runtime, RuntimeName
from tests.tflite.models import floats, needs_runtime, node


def of(name: RuntimeName) -> Runtime:
    return Runtime(name=name, version="1.0.0")


@pytest.fixture
def deployed(built: Build) -> Path:
    """For rpi4: on int8."""
    return built.targets[0].bundle / "model.onnx"


def kinds(path: Path) -> set[str]:
    return {each.op_type for each in load_model(path).graph.node}


def test_onnx_runtime_takes_the_file_and_on_x86_what_it_fuses_anew(
    deployed: Path, conv_model: Path, tmp_path: Path
) -> None:
    assert form_for(deployed, of("onnxruntime"), tmp_path, "aarch64") == deployed
    assert form_for(conv_model, of("onnxruntime"), tmp_path, "x86_64") == conv_model
    anew = form_for(deployed, of("onnxruntime"), tmp_path, "x86_64")
    assert kinds(deployed) & INTEGER_OPERATORS and not kinds(anew) & INTEGER_OPERATORS


def test_openvino_takes_conversions_and_standard_operators(deployed: Path, conv_model: Path, tmp_path: Path) -> None:
    assert form_for(conv_model, of("openvino"), tmp_path, "x86_64") == conv_model
    assert not kinds(form_for(deployed, of("openvino"), tmp_path, "x86_64")) & INTEGER_OPERATORS


@needs_runtime
def test_tflite_is_written_and_gives_the_same(deployed: Path, tmp_path: Path) -> None:
    made = form_for(deployed, of("ai-edge-litert"), tmp_path, "x86_64")
    assert made.suffix == ".tflite"
    x = np.random.default_rng(0).standard_normal((1, 1, 8, 8)).astype(np.float32)
    (left,), (right,) = (session_outputs(open_session(each), [x]) for each in (deployed, made))
    assert np.abs(left - right).max() <= 0.02 * np.abs(left).max()
    assert form_for(made, of("tflite-runtime"), tmp_path, "x86_64") == made
    with pytest.raises(ModelError, match="onnxruntime does not run TFLite models"):
        form_for(made, of("onnxruntime"), tmp_path, "x86_64")


@needs_runtime
def test_openvino_takes_tflite_files_in_which_all_tensors_have_names(deployed: Path, tmp_path: Path) -> None:
    (tmp_path / "named").mkdir()
    made = form_for(deployed, of("ai-edge-litert"), tmp_path, "x86_64")
    named = form_for(made, of("openvino"), tmp_path / "named", "x86_64")
    assert named.parent == tmp_path / "named" and form_for(named, of("openvino"), tmp_path, "x86_64") == named
    x = np.random.default_rng(0).standard_normal((1, 1, 8, 8)).astype(np.float32)
    (left,), (right,) = (session_outputs(open_session(each), [x]) for each in (made, named))
    assert np.array_equal(left, right)


@needs_runtime
def test_an_operator_that_tflite_has_not_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    save_model(floats([1, 4], [node("Erf", ["x"], ["y"], name="odd")]), path)
    with pytest.raises(StepError, match="'odd' is Erf"):
        form_for(path, of("tflite-runtime"), tmp_path, "x86_64")
