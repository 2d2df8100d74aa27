import json
import subprocess
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_recipes_are_listed_and_shown(run_edgekit: Run, tmp_path: Path) -> None:
    for arguments in ((), ("list",)):
        assert "failed-int4-first" in run_edgekit("recipes", *arguments, cwd=tmp_path).stdout
    listed = run_edgekit("recipes", "list", "--json", cwd=tmp_path).stdout
    assert len(json.loads(listed)["recipes"]) >= 6
    assert run_edgekit("recipes", "--json", cwd=tmp_path).stdout == listed
    misplaced = run_edgekit("recipes", "--json", "list", cwd=tmp_path)
    assert misplaced.returncode == 2 and "write --json after list" in misplaced.stderr
    (tmp_path / "mine.toml").write_text('[[steps]]\nuse = "train"\n[[steps]]\nuse = "export"\n')
    shown = run_edgekit("recipes", "show", "mine.toml", cwd=tmp_path)
    assert shown.returncode == 0 and "2 export" in shown.stdout and "findings: sound" in shown.stdout
    data = json.loads(run_edgekit("recipes", "show", "distil-int8", "--json", cwd=tmp_path).stdout)
    assert data["steps"][0]["options"]["epochs"]["value"] == 60
