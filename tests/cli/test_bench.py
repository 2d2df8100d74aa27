import json
import subprocess
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_this_machine_is_measured(run_edgekit: Run, conv_model: Path) -> None:
    done = run_edgekit("bench", conv_model, "--seconds", "0.1", "--json")
    told = json.loads(done.stdout)
    assert {"latency_p50", "memory_peak", "macs"} <= {one["name"] for one in told["measurements"]}
    assert {one["fidelity"] for one in told["measurements"]} == {"native", "static"}


def test_a_target_without_its_emulator_is_exit_code_three(run_edgekit: Run, conv_model: Path, tmp_path: Path) -> None:
    done = run_edgekit("bench", conv_model, "-t", "rpi4", EDGEKIT_EMULATORS=str(tmp_path))
    assert done.returncode == 3
    assert done.stderr == "error: the emulator for rpi4 is not set up\nhint: edgekit setup rpi4\n"


def test_the_emulated_table_has_no_latency(run_edgekit: Run, conv_model: Path) -> None:
    done = run_edgekit("bench", conv_model, "-t", "rpi4")
    assert done.returncode == 0, done.stderr
    assert "emulated" in done.stdout and "latency_p50" not in done.stdout
    assert "wall time under emulation is no latency" in done.stdout


def test_the_lengths_of_axes_reach_the_macs(run_edgekit: Run, in_steps: Path) -> None:
    done = run_edgekit("bench", in_steps, "--seconds", "0.1", "--shape", "steps=7", "--json")
    (macs,) = [one["value"] for one in json.loads(done.stdout)["measurements"] if one["name"] == "macs"]
    assert macs == 7 * 16
