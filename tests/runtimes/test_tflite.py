from pathlib import Path

import numpy as np
import pytest

from edgekit.errors import ModelError, ToolError
from edgekit.runtimes import tflite
from edgekit.runtimes.opening import open_session
from edgekit.runtimes.ort import session_outputs
from edgekit.target import Runtime
from edgekit.tflite.packing import pack
from edgekit.tflite.subgraph import Subgraph
from edgekit.tflite.writing import write_model
from tests.tflite.models import expected, floats, needs_runtime, node, samples

pytestmark = needs_runtime


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    path = tmp_path / "pool.tflite"
    path.write_bytes(write_model(floats([1, 4, 6, 8], [node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2])])).data)
    return path


@pytest.mark.parametrize("runtime", tflite.installed_runtimes(), ids=str)
def test_a_session_takes_and_gives_arrays_as_the_onnx_model_does(pool: Path, runtime: Runtime) -> None:
    model = floats([1, 4, 6, 8], [node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2])])
    running = tflite.TfliteSession(pool, runtime)
    for given, wanted in zip(samples(model), expected(model, samples(model)), strict=True):
        (found,) = session_outputs(running, [given])
        assert np.array_equal(found, wanted)


def test_the_wanted_runtime_is_taken_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tflite, "installed_version", lambda name: "1.0" if name == "tflite-runtime" else "")
    assert tflite.tflite_runtime("ai-edge-litert").name == "tflite-runtime"
    monkeypatch.setattr(tflite, "installed_version", lambda _: "1.0")
    assert tflite.tflite_runtime("tflite-runtime").name == "tflite-runtime"
    assert tflite.tflite_runtime("onnxruntime").name == "ai-edge-litert"
    monkeypatch.setattr(tflite, "installed_version", lambda _: "")
    with pytest.raises(ToolError, match="no runtime for TFLite") as raised:
        tflite.tflite_runtime()
    assert "'.[litert]'" in raised.value.hint


def test_a_graph_that_the_runtime_refuses_is_reported(tmp_path: Path) -> None:
    graph = Subgraph()
    given, made = graph.tensor("x", "float32", (2, 3)), graph.tensor("y", "float32", (9,))
    graph.inputs, graph.outputs = [given], [made]
    graph.operator("RESHAPE", [given], made, newShape=(9,))
    path = tmp_path / "bad.tflite"
    path.write_bytes(pack(graph, {"inputs": {"x": given}, "outputs": {"y": made}}, {}))
    with pytest.raises(ModelError, match=r"cannot load bad\.tflite") as raised:
        open_session(path)
    assert "edgekit inspect" in raised.value.hint
