"""OpenVINO's opener as the worker runs it: a file, loaded by its path."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from edgekit.device import openers
from edgekit.runtimes.ort import host_outputs

openvino = pytest.importorskip("openvino")

SOURCE = Path(openers.__file__).with_name("openvino_opener.py")


def test_a_model_runs_and_says_how_it_computes_floats(conv_model: Path) -> None:
    x = np.random.default_rng(0).standard_normal((1, 3, 6, 6)).astype(np.float32)
    opener = runpy.run_path(str(SOURCE))
    running = opener["open_model"](openvino, str(conv_model), 1, "f32")
    (given,) = running.run(None, {running.get_inputs()[0].name: x})
    assert np.allclose(given, host_outputs(conv_model, (x,))[0], atol=1e-5)
    assert running.manner == "floats as f32"
