import subprocess
from collections.abc import Callable
from pathlib import Path


def test_a_new_project_is_written_and_the_next_step_told(
    run_edgekit: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    done = run_edgekit("init", "mine", cwd=tmp_path)
    assert done.returncode == 0 and "cd mine && edgekit build --target rpi4" in done.stdout
    assert (tmp_path / "mine" / "edgekit.toml").is_file()
    again = run_edgekit("init", "mine", cwd=tmp_path)
    assert again.returncode == 2 and "exists already" in again.stderr
