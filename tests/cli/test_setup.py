import subprocess
from collections.abc import Callable


def test_a_prepared_emulator_is_told_with_its_place(
    run_edgekit: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = run_edgekit("setup", "rpi4", "rpi5")
    assert done.returncode == 0, done.stderr
    assert "-cpu cortex-a72, onnxruntime" in done.stdout and done.stdout.count(" is ready") == 2
    assert "MB in" in done.stdout


def test_an_engine_that_is_not_there_is_exit_code_three(
    run_edgekit: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = run_edgekit("setup", "--runner", "container", "rpi4", EDGEKIT_CONTAINER="no-such-engine")
    assert done.returncode == 3 and "there is no no-such-engine on this machine" in done.stderr
    done = run_edgekit("setup", "rpi4", "--base", "debian")
    assert done.returncode == 2 and "--base is for --runner container" in done.stderr
