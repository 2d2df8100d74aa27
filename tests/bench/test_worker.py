"""The worker as a board runs it: one file, a folder, nothing of edgekit on the path."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx

from edgekit.runners.runner import WORKER
from edgekit.runtimes.ort import host_outputs


def test_it_runs_from_anywhere_and_leaves_what_it_saw(conv_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "job"
    folder.mkdir()
    shutil.copy(WORKER, tmp_path / "pushed.py")
    shutil.copy(conv_model, folder / "m.onnx")
    x = np.random.default_rng(0).standard_normal((3, 3, 6, 6)).astype(np.float32)
    np.savez(folder / "inputs.npz", x)
    (folder / "job.json").write_text(
        json.dumps({"models": ["m.onnx"], "inputs": "inputs.npz", "threads": 1, "seconds": 0.05})
    )
    command = [sys.executable, str(tmp_path / "pushed.py"), str(folder)]
    done = subprocess.run(command, input="\n", capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == "done\n"
    told = json.loads((folder / "result.json").read_text())
    assert len(told["latencies_ms"][0]) >= 50 and told["load_ms"] > 0
    assert told["peak_memory"] >= told["resident_before"] > 0
    with np.load(folder / "outputs_0.npz") as stored:
        assert np.allclose(stored["arr_0"], host_outputs(conv_model, (x,))[0], atol=1e-5)


def test_a_fixed_batch_is_filled(conv_model: Path, tmp_path: Path) -> None:
    from edgekit.runners.native import NativeRunner
    from edgekit.runners.runner import Job

    model = onnx.load(conv_model)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 2
    onnx.save(model, tmp_path / "two.onnx")
    x = np.random.default_rng(0).standard_normal((4, 3, 6, 6)).astype(np.float32)
    result = NativeRunner().run(Job([tmp_path / "two.onnx"], (x,)))
    assert np.allclose(result.outputs[0][0], host_outputs(conv_model, (x,))[0], atol=1e-5)
