"""ONNX Runtime's opener as the worker runs it: a file, loaded by its path."""

import runpy
from pathlib import Path

import numpy as np
import onnxruntime

from edgekit.device import openers
from edgekit.runtimes.ort import host_outputs

SOURCE = Path(openers.__file__).with_name("onnxruntime_opener.py")


def test_a_model_runs_and_takes_session_options(conv_model: Path, tmp_path: Path) -> None:
    x = np.random.default_rng(0).standard_normal((1, 3, 6, 6)).astype(np.float32)
    opener = runpy.run_path(str(SOURCE))
    written = tmp_path / "optimized.onnx"
    running = opener["open_model"](onnxruntime, str(conv_model), 1, "f32", optimized_model_filepath=str(written))
    (given,) = running.run(None, {running.get_inputs()[0].name: x})
    assert np.allclose(given, host_outputs(conv_model, (x,))[0], atol=1e-5) and written.is_file()
