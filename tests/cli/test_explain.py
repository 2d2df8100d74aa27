import json
import subprocess
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_codes_techniques_and_the_list_are_answered(run_edgekit: Run, tmp_path: Path) -> None:
    assert "magnitudes" in run_edgekit("explain", "EK101", cwd=tmp_path).stdout
    assert run_edgekit("explain", "pruning", "quantization", cwd=tmp_path).stdout.count("EK10") == 4
    listed = run_edgekit("explain", cwd=tmp_path).stdout
    assert "EK001" in listed and "EK411" in listed
    data = json.loads(run_edgekit("explain", "EK190", "--json", cwd=tmp_path).stdout)
    assert data["findings"][0]["code"] == "EK190"
    nothing = run_edgekit("explain", "training", "graph", cwd=tmp_path)
    assert nothing.returncode == 0 and "says nothing of training and graph" in nothing.stdout


def test_a_projects_own_rows_are_explained(run_edgekit: Run, make_project: Callable[..., Path]) -> None:
    folder = make_project()
    (folder / "interactions.toml").write_text(
        '[[interactions]]\ncode = "EK901"\ntitle = "what we never do"\nstep = { family = "distillation" }\n'
        'verdict = "moderate"\nwhy = "We tried."\nevidence = [{ kind = "measured", source = "us", says = "no" }]\n'
    )
    assert "what we never do" in run_edgekit("explain", "EK901", cwd=folder).stdout
    assert "EK901" in run_edgekit("explain", "-C", folder).stdout
