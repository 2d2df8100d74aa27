from pathlib import Path

import numpy as np
import pytest

from edgekit.errors import ModelError
from edgekit.model.reading import save_model
from edgekit.runtimes.opening import open_session
from edgekit.runtimes.ort import host_outputs, session_outputs
from tests.tflite.models import floats, node

pytest.importorskip("openvino")


def test_a_session_gives_what_onnx_runtime_does(conv_model: Path) -> None:
    x = np.random.default_rng(0).standard_normal((3, 3, 6, 6)).astype(np.float32)
    running = open_session(conv_model, runtime="openvino")
    assert type(running).__name__ == "OnnxSession"
    assert np.allclose(session_outputs(running, [x])[0], host_outputs(conv_model, (x,))[0], atol=1e-5)


def test_outputs_of_one_run_stay_when_the_next_one_comes(conv_model: Path) -> None:
    running = open_session(conv_model, runtime="openvino")
    first = session_outputs(running, [np.ones((1, 3, 6, 6), np.float32)])[0]
    kept = first.copy()
    session_outputs(running, [np.zeros((1, 3, 6, 6), np.float32)])
    assert np.array_equal(first, kept)


def test_a_file_that_it_does_not_load_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "odd.onnx"
    model = floats([1, 4], [node("Relu", ["x"], ["y"])])
    model.opset_import.add(domain="odd", version=1)
    model.graph.node[0].op_type, model.graph.node[0].domain = "Odd", "odd"
    save_model(model, path)
    with pytest.raises(ModelError, match=r"openvino cannot load odd\.onnx: .*Odd") as raised:
        open_session(path, runtime="openvino")
    assert "edgekit inspect" in raised.value.hint
