"""The worker as a board runs it: one file, a folder, nothing of edgekit on the path."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgekit.measuring.worker import as_array, stacked
from edgekit.runners.runner import WORKER
from edgekit.runtimes.ort import host_outputs


def test_it_runs_from_anywhere_and_leaves_what_it_saw(conv_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "job"
    folder.mkdir()
    shutil.copy(WORKER, tmp_path / "pushed.py")
    shutil.copy(conv_model, folder / "m.onnx")
    x = np.random.default_rng(0).standard_normal((3, 3, 6, 6)).astype(np.float32)
    np.savez(folder / "inputs.npz", x[:, None])
    (folder / "job.json").write_text(
        json.dumps(
            {
                "models": ["m.onnx"],
                "inputs": "inputs.npz",
                "threads": 1,
                "seconds": 0.05,
                "least_runs": 50,
                "most_runs": None,
                "warm_up_s": 0.1,
            }
        )
    )
    command = [sys.executable, str(tmp_path / "pushed.py"), str(folder)]
    done = subprocess.run(command, input="\n", capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == "done\n"
    told = json.loads((folder / "result.json").read_text())
    assert len(told["latencies_ms"][0]) >= 50 and told["load_ms"] > 0
    assert told["peak_memory"] >= told["resident_before"] > 0
    with np.load(folder / "outputs_0.npz") as stored:
        assert np.allclose(stored["arr_0"][:, 0], host_outputs(conv_model, (x,))[0], atol=1e-5)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (np.float32(2.0), 2.0),
        (np.array(["a", "bc"], object), ["a", "bc"]),
        ([{2: 0.25, 1: 0.75}, {1: 0.5, 2: 0.5}], [0.75, 0.25, 0.5, 0.5]),
        ([np.ones((2, 2)), np.zeros(1)], [1.0, 1.0, 1.0, 1.0, 0.0]),
        ([], []),
        (None, []),
    ],
)
def test_whatever_the_runtime_gives_becomes_an_array(value: object, told: object) -> None:
    array = as_array(np, value)
    assert array.dtype != object and array.tolist() == told


def test_outputs_of_other_lengths_come_in_a_row() -> None:
    assert stacked(np, [np.zeros((2, 1)), np.ones((2, 1))]).shape == (2, 2, 1)
    assert stacked(np, [np.zeros((2, 1)), np.ones((1, 1))]).tolist() == [0.0, 0.0, 1.0]
