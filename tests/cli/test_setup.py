import subprocess
from collections.abc import Callable
from pathlib import Path


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


def test_options_that_do_not_go_together(
    run_edgekit: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    done = run_edgekit("setup", "--runner", "container", "rpi4", "--download", tmp_path)
    assert done.returncode == 2 and "--from and --download are for --runner qemu" in done.stderr
    done = run_edgekit("setup", "rpi4", "--from", tmp_path / "none")
    assert done.returncode == 2 and "does not exist" in done.stderr
    done = run_edgekit("setup", "rpi4", "--from", tmp_path, EDGEKIT_EMULATORS=str(tmp_path / "emulators"))
    assert done.returncode == 3 and f"{tmp_path} lacks " in done.stderr
    assert "edgekit setup ID --download" in done.stderr and done.stderr.count("\n") == 3
