import json
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from edgekit.benchmarking.board_calibration import calibrate_board
from edgekit.errors import BoardError, PredictionError, RunnerError
from edgekit.latency.board_fit import read_calibration
from edgekit.progress import Silent
from edgekit.runners.choice import runner_for
from edgekit.runners.runner import Job, Result
from edgekit.target_files import calibration_file, find_target, load_target
from tests.instruction_counts.compiler import needs_compiler
from tests.pretend import NAME, write_target
from tests.sshd import Sshd


@needs_compiler
def test_a_board_that_was_measured_predicts_itself(
    pretend_pi: Sshd, conv_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEKIT_SSH", pretend_pi.client)
    target = load_target(write_target(tmp_path / "targets"))
    path = calibration_file(target, tmp_path / "targets")
    board = runner_for(target, pretend_pi.url)
    broken = _that_fails(tmp_path / "broken.onnx")
    done = calibrate_board(board, target, {broken: "broken", conv_model: "conv"}, [1, 4], 0.1, path, Silent())
    assert [each.model for each in done.absent] == ["broken.onnx"] and "Reshape" in done.absent[0].why
    assert [(each.network, each.threads, each.board) for each in done.new] == [("conv", 1, NAME), ("conv", 4, NAME)]
    one, four = done.new
    assert one.figures == four.figures and one.digest == four.digest and one.milliseconds > 0
    assert [earlier is not None and earlier.confidence for earlier in done.before] == [0, 0]
    again = load_target(tmp_path / "targets" / "pretend-pi.toml")
    assert read_calibration(again) == done.calibration and again.calibration == str(path)
    assert [each.threads for each in done.calibration.fits] == [1, 4] and len(json.loads(path.read_text())["fits"]) == 2


@pytest.mark.slow
@needs_compiler
def test_what_was_measured_before_a_board_is_gone_is_kept(
    pretend_pi: Sshd, conv_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEKIT_SSH", pretend_pi.client)
    target, path = load_target(write_target(tmp_path / "targets")), tmp_path / "c.json"
    board, runs = runner_for(target, pretend_pi.url), iter([True, False])
    really = board.run

    def run(job: Job) -> Result:
        if next(runs):
            return really(job)
        raise BoardError("the connection was lost", "check its network")

    monkeypatch.setattr(board, "run", run)
    with pytest.raises(BoardError, match="was lost"):
        calibrate_board(board, target, {conv_model: "conv"}, [1, 4], 0.1, path, Silent())
    assert [each["threads"] for each in json.loads(path.read_text())["measured"]] == [1]


def _that_fails(path: Path) -> Path:
    """A model that no runtime runs, whatever it is fed."""
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 3]) for name in ("x", "y")]
    shape = helper.make_tensor("shape", TensorProto.INT64, [1], [7])
    graph = helper.make_graph([helper.make_node("Reshape", ["x", "shape"], ["y"])], "g", ports[:1], ports[1:], [shape])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_an_emulator_has_no_times(conv_model: Path, tmp_path: Path) -> None:
    rpi4 = find_target("rpi4")
    with pytest.raises(RunnerError, match="measured no latencies") as raised:
        calibrate_board(runner_for(rpi4, "qemu"), rpi4, {conv_model: "conv"}, [1], 0.1, tmp_path / "c.json", Silent())
    assert (
        raised.value.hint == "give the board's address: --runner ssh://USER@HOST" and not (tmp_path / "c.json").exists()
    )


def test_a_board_whose_runs_cannot_be_counted_is_not_measured(
    pretend_pi: Sshd, conv_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEKIT_SSH", pretend_pi.client)
    own = load_target(write_target(tmp_path)).copy_with(caches=())
    board = runner_for(own, pretend_pi.url)
    with pytest.raises(PredictionError, match="instruction counts: pretend-pi is not a 64-bit ARM core with caches"):
        calibrate_board(board, own, {conv_model: "conv"}, [1], 0.1, tmp_path / "c.json", Silent())
    assert not (tmp_path / "c.json").exists()
