"""The opener of both TFLite runtimes as the worker runs it: a file, loaded by its path."""

import runpy
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from edgekit.device import openers
from edgekit.model.reading import save_model
from edgekit.runtimes.ort import host_outputs
from edgekit.runtimes.tflite import installed_runtimes
from edgekit.tflite.writing import write_model
from tests.tflite.models import floats, node

pytest.importorskip("ai_edge_litert")

SOURCE = Path(openers.__file__).with_name("tflite_opener.py")


def test_a_model_runs_under_each_installed_runtime(tmp_path: Path) -> None:
    model = floats([1, 4], [node("Relu", ["x"], ["y"])])
    save_model(model, tmp_path / "m.onnx")
    (tmp_path / "m.tflite").write_bytes(write_model(model).data)
    x = np.array([[-1.0, 2.0, -3.0, 4.0]], np.float32)
    opener = runpy.run_path(str(SOURCE))
    for runtime in installed_runtimes():
        running = opener["open_model"](import_module(runtime.spec.module), str(tmp_path / "m.tflite"), 1, "f32")
        (given,) = running.run(None, {running.get_inputs()[0].name: x})
        assert np.array_equal(given, host_outputs(tmp_path / "m.onnx", (x,))[0])
        assert running.manner in ("XNNPACK", "its own kernels")
