import json
import subprocess
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_a_file_is_simplified(run_edgekit: Run, conv_model: Path, tmp_path: Path) -> None:
    done = run_edgekit("simplify", conv_model, "-q")
    assert done.returncode == 0 and "made-up inputs" in done.stdout, done.stderr
    assert (tmp_path / "conv-simplified.onnx").is_file()
    data = json.loads(run_edgekit("simplify", conv_model, "-o", tmp_path / "s.onnx", "--json").stdout)
    assert data["bytes"] == (tmp_path / "s.onnx").stat().st_size


def test_samples_that_are_not_there(run_edgekit: Run, conv_model: Path, tmp_path: Path) -> None:
    done = run_edgekit("simplify", conv_model, "--calibration", tmp_path / "none")
    assert done.returncode == 2 and "there is no" in done.stderr and "hint: give a folder" in done.stderr
