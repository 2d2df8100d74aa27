import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import pytest

from edgekit.target import RuntimeName
from tests.instruction_counts.compiler import needs_compiler
from tests.interrupts import heeding_interrupts
from tests.sshd import Sshd

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_this_machine_is_measured(run_edgekit: Run, conv_model: Path) -> None:
    done = run_edgekit("bench", conv_model, "--seconds", "0.1", "--json")
    data = json.loads(done.stdout)
    assert {"latency_p50", "memory_peak", "macs"} <= {one["name"] for one in data["models"][0]["measurements"]}
    assert {one["fidelity"] for one in data["models"][0]["measurements"]} == {"native", "static"}


def test_a_target_without_its_emulator_is_exit_code_three(run_edgekit: Run, conv_model: Path, tmp_path: Path) -> None:
    done = run_edgekit("bench", conv_model, "-t", "rpi4", EDGEKIT_EMULATORS=str(tmp_path))
    assert done.returncode == 3
    assert done.stderr == "error: the emulator for rpi4 is not set up\nhint: edgekit setup rpi4\n"


@needs_compiler
def test_the_emulated_table_has_a_predicted_latency_and_no_other(run_edgekit: Run, conv_model: Path) -> None:
    done = run_edgekit("bench", conv_model, "-t", "rpi4")
    assert done.returncode == 0, done.stderr
    assert "emulated" in done.stdout and "latency_p50" not in done.stdout
    assert "latency_predicted" in done.stdout and "range" in done.stdout
    done = run_edgekit("bench", conv_model, "-t", "arm64-generic")
    assert done.returncode == 0 and "latency_predicted" not in done.stdout
    text = " ".join(done.stdout.split())
    assert "no prediction: arm64-generic is not a 64-bit ARM core with caches in its target file" in text


def test_one_table_holds_every_runtime(run_edgekit: Run, conv_model: Path) -> None:
    done = run_edgekit("bench", conv_model, "--runtimes", "all", "--seconds", "0.1", COLUMNS="80")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("p50, ms") == 1 and max(map(len, done.stdout.splitlines())) <= 80
    for name in get_args(RuntimeName):
        value = name in done.stdout.split("not run")[0]
        assert value or f"not run: {name}: {name} is not installed; " in done.stdout


def test_a_runtime_that_there_is_none_of(run_edgekit: Run, conv_model: Path) -> None:
    done = run_edgekit("bench", conv_model, "--runtimes", "onnxrumtime")
    assert done.returncode == 2
    assert done.stderr == "error: there is no runtime 'onnxrumtime'\nhint: did you mean 'onnxruntime'?\n"


def test_several_boards_are_measured_and_one_that_fails_loses_nothing(
    run_edgekit: Run, conv_model: Path, sshd: Sshd
) -> None:
    places = ("--runner", "native", "--runner", sshd.url, "--runner", "ssh://127.0.0.1:1")
    done = run_edgekit("bench", conv_model, *places, "--seconds", "0.1", "--json", EDGEKIT_SSH=sshd.client)
    data = json.loads(done.stdout)
    assert [each["place"].split()[0] for each in data["benches"]] == ["native,", "ssh"]
    fidelities = {one["fidelity"] for each in data["benches"] for one in each["models"][0]["measurements"]}
    assert fidelities == {"native", "static"}, "a loopback host is this machine"
    assert done.returncode == 3 and "127.0.0.1:1 cannot be used: nothing listens on that port" in done.stderr


def test_a_board_that_is_another_is_exit_code_three(run_edgekit: Run, conv_model: Path, sshd: Sshd) -> None:
    done = run_edgekit("bench", conv_model, "-t", "rpi4", "--runner", sshd.url, EDGEKIT_SSH=sshd.client)
    assert done.returncode == 3 and not done.stdout
    assert "is not a rpi4" in done.stderr and f"hint: find the matching target: edgekit targets check {sshd.url}" in (
        done.stderr
    )


def test_a_smaller_board_leaves_less(run_edgekit: Run, conv_model: Path) -> None:
    done = run_edgekit("bench", conv_model, "-t", "rpi4", "--memory-profile", "1g")
    assert done.returncode == 0 and "of 843 MB" in " ".join(done.stdout.split()), done.stdout
    small = run_edgekit("bench", conv_model, "-t", "rpi4", "--memory-profile", "256m")
    assert small.returncode == 1 and "of 37 MB" in " ".join(small.stdout.split())


@pytest.mark.parametrize("size", ["0g", "-1g", "2", "lots"])
def test_a_size_that_is_none_is_exit_code_two(size: str, run_edgekit: Run, conv_model: Path) -> None:
    done = run_edgekit("bench", conv_model, "-t", "rpi4", "--memory-profile", size)
    assert done.returncode == 2 and "512m or 2g" in done.stderr
    assert run_edgekit("bench", conv_model, "--memory-profile", "1g").returncode == 2


@pytest.mark.parametrize("wanted", ["board", "ssh://", "qemu"])
def test_a_runner_that_there_is_none_of_is_exit_code_two(wanted: str, run_edgekit: Run, conv_model: Path) -> None:
    done = run_edgekit("bench", conv_model, "--runner", wanted)
    assert done.returncode == 2 and not done.stdout and len(done.stderr.splitlines()) == 2


def test_the_lengths_of_axes_reach_the_macs(run_edgekit: Run, in_steps: Path) -> None:
    done = run_edgekit("bench", in_steps, "--seconds", "0.1", "--shape", "steps=7", "--json")
    (macs,) = [one["value"] for one in json.loads(done.stdout)["models"][0]["measurements"] if one["name"] == "macs"]
    assert macs == 7 * 16


def test_models_are_compared_and_gates_written_for_machines(
    run_edgekit: Run, conv_model: Path, in_steps: Path, tmp_path: Path
) -> None:
    both = (conv_model, in_steps, "--seconds", "0.05", "--shape", "steps=7")
    refused = run_edgekit("bench", *both)
    assert refused.returncode == 2 and "2 models: add --compare" in refused.stderr
    same = (conv_model, conv_model, "--compare", "--seconds", "0.05")
    done = run_edgekit("bench", *same, "--junit", str(tmp_path / "j.xml"), "--csv")
    assert done.returncode == 0, done.stderr
    assert "latency_ratio" in done.stdout and (tmp_path / "j.xml").read_text().startswith("<?xml")


def test_operators_are_told_where_they_are_asked_for(run_edgekit: Run, conv_model: Path) -> None:
    done = run_edgekit("bench", conv_model, "--seconds", "0.05", "--profile")
    assert "computes on" in done.stdout and "Conv" in done.stdout
    data = json.loads(run_edgekit("bench", conv_model, "-t", "rpi4", "--profile", "--json").stdout)
    operators = data["models"][0]["operators"]
    assert operators and all(one["milliseconds"] is None and one["count"] for one in operators)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are looked up in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_bench_that_is_ended_leaves_no_process_and_no_folder(
    conv_model: Path, tmp_path: Path, run_edgekit: Run, number: signal.Signals
) -> None:
    command = [sys.executable, "-m", "edgekit", "bench", str(conv_model), "--seconds", "600"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        preexec_fn=heeding_interrupts,
    ) as bench:
        workers = until(lambda: running(tmp_path))
        bench.send_signal(number)
        assert bench.wait(timeout=60) == (-number if number == signal.SIGKILL else 128 + number)
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    if number == signal.SIGKILL:
        assert list(tmp_path.glob("edgekit-*"))
        run_edgekit("recipes", TMPDIR=str(tmp_path))
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("edgekit-")]


def running(folder: Path) -> list[str]:
    """The processes that work in a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if f"{folder}/edgekit-" in path.read_text():
                found.append(path.parent.name)
    return found


def until(told: Callable[[], Any]) -> Any:
    for _ in range(600):
        if found := told():
            return found
        time.sleep(0.1)
    raise AssertionError("it did not come true within a minute")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--threads", "0"], "0 is below 1"),
        (["--batch", "1,-2"], "-2 is below 1"),
        (["--threads", "many"], "give numbers, such as 1 or 1,2,4"),
        (["--seconds", "0"], "0.05"),
        (["--inputs", "none.npz"], "none.npz cannot be read"),
        (["--json", "--csv"], "choose one"),
        (["--shape", "nothing=3"], "no input and no dynamic axis has the name 'nothing'"),
    ],
)
def test_bad_options_are_told_in_a_line(run_edgekit: Run, conv_model: Path, options: list[str], told: str) -> None:
    done = run_edgekit("bench", conv_model, *options)
    assert done.returncode == 2 and told in done.stderr and not done.stdout
