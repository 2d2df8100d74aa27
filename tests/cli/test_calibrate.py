import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.instruction_counts.compiler import needs_compiler
from tests.pretend import write_target
from tests.sshd import Sshd

Run = Callable[..., subprocess.CompletedProcess[str]]


@needs_compiler
def test_a_board_is_calibrated_and_bench_knows(
    run_edgekit: Run, pretend_pi: Sshd, conv_model: Path, tmp_path: Path
) -> None:
    write_target(tmp_path / "targets")
    board = ("--runner", pretend_pi.url, "--seconds", "0.1")
    done = run_edgekit("calibrate", "pretend-pi", conv_model, *board, cwd=tmp_path, EDGEKIT_SSH=pretend_pi.client)
    assert done.returncode == 0, done.stderr
    assert "too few for an interval: at least 9 networks of 4 kinds are needed" in " ".join(done.stdout.split())
    assert "written: targets/pretend-pi.latency.json" in done.stdout
    data = json.loads(run_edgekit("bench", conv_model, "-t", "pretend-pi", "--json", cwd=tmp_path).stdout)
    (found,) = [one for one in data["models"][0]["measurements"] if one["name"] == "latency_predicted"]
    assert "on a no board: an emulator behind a loopback sshd" in found["detail"]


@pytest.mark.parametrize(
    ("given", "code", "told"),
    [
        (["rpi9", "x.onnx"], 2, "no target 'rpi9'"),
        (["rpi4", "x.onnx", "--runtime", "openvino"], 2, "rpi4 has no runtime 'openvino'"),
        (["rpi4", "x.onnx"], 2, "measured no latencies"),
        (["rpi4", "x.onnx", "--runner", "native"], 3, "this machine is not a rpi4"),
        (["rpi4", "x.onnx", "--runner", "ssh://127.0.0.1:1"], 3, "nothing listens on that port"),
    ],
)
def test_what_cannot_be_is_reported(run_edgekit: Run, tmp_path: Path, given: list[str], code: int, told: str) -> None:
    done = run_edgekit("calibrate", *given, cwd=tmp_path)
    assert done.returncode == code and told in done.stderr and "hint: " in done.stderr
    assert not (tmp_path / "targets").exists()
