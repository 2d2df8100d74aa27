import subprocess
from collections.abc import Callable


def test_a_prepared_emulator_is_told_with_its_place(
    run_edgekit: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = run_edgekit("setup", "rpi4", "rpi5")
    assert done.returncode == 0, done.stderr
    assert "-cpu cortex-a72 is ready" in done.stdout and "-cpu cortex-a76 is ready" in done.stdout
    assert "MB in" in done.stdout
