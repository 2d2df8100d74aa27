"""A board over a real connection: the sshd is this machine's, started by the tests."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edgekit.errors import BoardError, RunError
from edgekit.progress import Silent
from edgekit.runners.address import address_of
from edgekit.runners.native import NativeRunner
from edgekit.runners.runner import Job
from edgekit.runners.ssh import SshRunner
from edgekit.runtimes.forms import form_for
from edgekit.runtimes.opening import installed_runtime
from edgekit.target_files import find_target
from edgekit.tflite.writing import write_model
from edgekit.traits import Fidelity
from tests.interrupts import heeding_interrupts
from tests.sshd import Sshd, started
from tests.tflite.models import expected, floats, needs_runtime, node, samples

X = (np.random.default_rng(0).standard_normal((3, 1, 3, 6, 6)).astype(np.float32),)


@pytest.fixture(autouse=True)
def _as_its_user(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_SSH", sshd.client)


def runner(sshd: Sshd, target: str = "") -> SshRunner:
    return SshRunner(address_of(sshd.url), find_target(target) if target else None, Silent())


def until(true: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Whether something comes true within so long."""
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.05)
    return true()


def workers(sshd: Sshd) -> list[str]:
    """The command lines of the workers that run behind an sshd."""
    output = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in output.splitlines() if f"{sshd.cache}/edgekit/run-" in line]


def is_running(sshd: Sshd) -> bool:
    """Whether a worker there has run its model."""
    return any((sshd.cache / "edgekit").glob("run-*/outputs_0.npz"))


def test_a_run_gives_what_this_machine_gives_and_leaves_nothing(sshd: Sshd, conv_model: Path) -> None:
    result = runner(sshd).run(Job([conv_model], X, seconds=0.2, rounds=2, profiled_runs=2))
    here = NativeRunner().run(Job([conv_model], X))
    assert np.array_equal(result.outputs[0][0], here.outputs[0][0])
    assert (
        result.latencies_ms[0] and result.load_ms and result.profiles and result.resident.keys() == here.resident.keys()
    )
    assert result.memory_bytes and result.machine_state["before"]["cpus"]
    assert result.fidelity is Fidelity.NATIVE, "a loopback host is this machine"
    assert not sshd.left()


@needs_runtime
def test_a_tflite_model_runs_there_under_its_own_runtime(sshd: Sshd, tmp_path: Path) -> None:
    model = floats([1, 4, 6, 8], [node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2])])
    path = tmp_path / "pool.tflite"
    path.write_bytes(write_model(model).data)
    result = runner(sshd).run(Job([path], (np.stack(samples(model)),)))
    assert np.array_equal(result.outputs[0][0], np.stack(expected(model, samples(model))))
    assert result.runtime.startswith("ai-edge-litert ")


@needs_runtime
def test_two_runtimes_take_turns_in_one_process(sshd: Sshd, conv_model: Path, tmp_path: Path) -> None:
    runtimes = [installed_runtime("onnxruntime"), installed_runtime("ai-edge-litert")]
    forms = [form_for(conv_model, each, tmp_path, "x86_64") for each in runtimes]
    image = np.random.default_rng(0).standard_normal((1, 1, 3, 6, 6)).astype(np.float32)
    result = runner(sshd).run(Job(forms, (image,), runtimes=runtimes, seconds=0.05, least_runs=10))
    (ours,), (theirs,) = result.outputs
    assert np.allclose(ours, theirs, atol=1e-5)
    assert result.runtime == f"{runtimes[0]} and {runtimes[1]}, XNNPACK"
    assert len(result.latencies_ms) == 2


def test_the_runtime_stays_for_the_next_run(sshd: Sshd, conv_model: Path) -> None:
    first = runner(sshd)
    first.run(Job([conv_model], X))
    kept, again = list(first.kept.values()), runner(sshd)
    assert kept and all(kept) and set(kept) <= set(again.board.report.kept)


def test_a_board_that_is_not_the_target_is_refused(sshd: Sshd) -> None:
    with pytest.raises(BoardError, match="is not a rpi4") as refused:
        runner(sshd, "rpi4")
    assert "edgekit targets check ssh://" in refused.value.hint


def test_another_machine_would_be_a_device(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgekit.runners.board.boot_id", lambda: "another")
    assert runner(sshd).fidelity is Fidelity.DEVICE


def test_a_model_that_hangs_is_stopped_there(sshd: Sshd, conv_model: Path) -> None:
    job = Job([conv_model], X, least_runs=10**9, seconds=0.1, timeout_s=2.0)
    with pytest.raises(RunError, match=r"did not finish on .* within 2 s"):
        runner(sshd).run(job)
    assert not sshd.left() and not workers(sshd)


def test_a_model_that_fails_there_says_so(sshd: Sshd, tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    with pytest.raises(RunError, match="while the model was loaded"):
        runner(sshd).run(Job([tmp_path / "bad.onnx"], X))
    assert not sshd.left()


@pytest.mark.parametrize("end", ["sshd: ", "ssh "])
def test_a_connection_that_is_lost_leaves_nothing(end: str, sshd: Sshd, conv_model: Path) -> None:
    """Whether the board's end of it dies or this machine's."""
    ready, failed = runner(sshd), []

    def run() -> None:
        try:
            ready.run(Job([conv_model], X, seconds=60.0))
        except BoardError as error:
            failed.append(error.message)

    thread = threading.Thread(target=run)
    thread.start()
    assert until(lambda: is_running(sshd))
    for each in ends_of(sshd, end):
        os.kill(each, signal.SIGKILL)
    thread.join(120)
    assert failed and "while the model ran" in failed[0]
    assert until(lambda: not sshd.left() and not workers(sshd))


def ends_of(sshd: Sshd, end: str) -> list[int]:
    """The processes of a connection: sessions of the sshd, or clients of it."""
    output = subprocess.run(["ps", "-ww", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in output.splitlines()[1:]]
    of_client = [int(pid) for pid, _, args in rows if args.startswith(end) and str(sshd.port) in args]
    return of_client or [int(pid) for pid, parent, _ in rows if int(parent) == sshd.process.pid]


@pytest.mark.parametrize("away", [False, True])
def test_an_interrupted_bench_leaves_nothing(away: bool, sshd: Sshd, conv_model: Path) -> None:
    """On this machine, and on a board, for which a thread waits."""
    script = "from edgekit.runners import board; board.boot_id = lambda: 'of another machine'; " if away else ""
    script += "from edgekit.cli.main import main; main()"
    command = [sys.executable, "-c", script, "bench", str(conv_model), "--runner", sshd.url, "--seconds", "60"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=heeding_interrupts)
    assert until(lambda: is_running(sshd))
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=120)
    assert process.returncode and "Traceback" not in words
    assert until(lambda: not sshd.left() and not workers(sshd))


def test_what_a_run_left_that_was_ended_by_force_is_cleared_by_the_next(sshd: Sshd, conv_model: Path) -> None:
    (sshd.cache / "edgekit").mkdir(exist_ok=True)
    (sshd.cache / "edgekit" / "run-999999999-gone").mkdir()
    runner(sshd).run(Job([conv_model], X))
    assert not sshd.left()


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    with started(tmp_path, disk="64k") as found:
        monkeypatch.setenv("EDGEKIT_SSH", found.client)
        yield found


def test_a_full_disk_is_told_with_what_is_needed(small_disk: Sshd, conv_model: Path) -> None:
    with pytest.raises(BoardError, match=r"disk of 127.0.0.1:\d+ is full: .* MB are needed and .* free"):
        runner(small_disk).run(Job([conv_model], X))
