import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import edgekit
from edgekit.deprecation import RenamedWarning
from edgekit.errors import EdgekitError

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_the_command_and_the_function_leave_the_same_bytes(run_edgekit: Run, conv_model: Path, tmp_path: Path) -> None:
    samples = tmp_path / "samples.npz"
    np.savez(samples, x=np.random.default_rng(0).random((12, 3, 6, 6), np.float32))
    simple = edgekit.simplify(conv_model).path
    done = run_edgekit(
        "quantize", simple, "-t", "rpi4", "--calibration", samples, "--set", "calibration=percentile", "--json"
    )
    data = json.loads(done.stdout)
    assert data["notes"]["calibration"] == "percentile" and Path(data["path"]).name == "conv-simplified-quantized.onnx"
    same = edgekit.quantize(
        simple,
        samples,
        target="rpi4",
        options=edgekit.QuantizeOptions(step={"calibration": "percentile"}),
        output=tmp_path / "same.onnx",
    )
    assert Path(data["path"]).read_bytes() == same.path.read_bytes()
    assert (
        "dB of signal to noise" in run_edgekit("quantize", simple, "-q", "-t", "rpi4", "--calibration", samples).stdout
    )


def test_what_is_missing_is_asked_for(run_edgekit: Run, conv_model: Path) -> None:
    assert "--calibration FOLDER" in run_edgekit("quantize", conv_model, "-t", "rpi4").stderr
    assert "--target" in run_edgekit("quantize", conv_model, "--calibration", "s").stderr
    odd = run_edgekit("quantize", conv_model, "-t", "rpi4", "--calibration", "s", "--set", "calibration")
    assert odd.returncode == 2 and "give NAME=VALUE" in odd.stderr


def test_a_transformer_takes_the_ranges_of_each_run(run_edgekit: Run, attending: Path, tmp_path: Path) -> None:
    samples = tmp_path / "samples.npy"
    np.save(samples, np.random.default_rng(0).standard_normal((12, 1, 8, 8)).astype(np.float32))
    command = ["quantize", attending, "-q", "-t", "rpi4", "--calibration", samples]
    done = run_edgekit(*command, "--set", "smoothing=0.5", "--set", "tables=false")
    assert "each run computes its own" in " ".join(done.stdout.split()) and "smoothed by alpha 0.5" in done.stdout
    same = edgekit.quantize(
        attending,
        samples,
        target="rpi4",
        options=edgekit.QuantizeOptions(ranges="dynamic", step={"smoothing": 0.5}),
        output=tmp_path / "same.onnx",
    )
    assert attending.with_name("attending-quantized.onnx").read_bytes() == same.path.read_bytes()
    fixed = edgekit.quantize(attending, samples, target="rpi4", options=edgekit.QuantizeOptions(ranges="fixed"))
    assert "QuantizeLinear" in fixed.notes["operators"]
    beyond = run_edgekit(*command, "--set", "smoothing=2")
    assert beyond.returncode == 2 and "'smoothing' is 2" in beyond.stderr


@pytest.mark.parametrize("backend", ["inc", "best"])
def test_another_backend_is_told_for_a_transformer_too(
    attending: Path, tmp_path: Path, run_edgekit: Run, backend: str
) -> None:
    pytest.importorskip("neural_compressor")
    np.save(tmp_path / "x.npy", np.random.default_rng(0).standard_normal((32, 1, 8, 8)).astype(np.float32))
    done = run_edgekit(
        "quantize", attending, "-t", "rpi4", "--calibration", tmp_path / "x.npy", "--backend", backend,
        "--ranges", "dynamic", "-q",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "on calibration samples" in " ".join(done.stdout.split())


def test_former_ranges_are_accepted_with_one_line_of_warning(
    run_edgekit: Run, conv_model: Path, tmp_path: Path
) -> None:
    samples = tmp_path / "samples.npz"
    np.savez(samples, x=np.random.default_rng(0).random((4, 3, 6, 6), np.float32))
    given = ["quantize", conv_model, "-q", "-t", "rpi4", "--calibration", samples]
    former = run_edgekit(*given, "--ranges", "run", "--output", tmp_path / "former.onnx")
    lines = [line for line in former.stderr.splitlines() if "'run'" in line]
    assert lines == ["warning: --ranges: 'run' is now called 'dynamic'; the next release rejects the former name"]
    same, unknown = (edgekit.QuantizeOptions(ranges=each) for each in ("run", "dynamc"))  # type: ignore[arg-type]
    with pytest.warns(RenamedWarning, match="'run' is now called 'dynamic'"):
        edgekit.quantize(conv_model, samples, target="rpi4", options=same, output=tmp_path / "same.onnx")
    assert (tmp_path / "former.onnx").read_bytes() == (tmp_path / "same.onnx").read_bytes()
    wrong = run_edgekit(*given, "--ranges", "dynamc")
    assert wrong.returncode == 2 and "dynamic" in wrong.stderr
    with pytest.raises(EdgekitError, match="no kind of ranges 'dynamc'"):
        edgekit.quantize(conv_model, samples, target="rpi4", options=unknown)
