import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from edgekit.target import shipped_folder

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_targets_are_listed_with_a_projects_own(run_edgekit: Run, tmp_path: Path) -> None:
    assert "rpi-zero2w" in run_edgekit("targets").stdout
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "board.toml").write_text((shipped_folder() / "rpi4.toml").read_text())
    told = json.loads(run_edgekit("targets", "-C", tmp_path, "list", "--json").stdout)
    assert "board" in {each["id"] for each in told["targets"]}
    assert "cortex-a72" in run_edgekit("targets", "-C", tmp_path, "show", "board").stdout
