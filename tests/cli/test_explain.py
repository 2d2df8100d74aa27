import json
import subprocess
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_codes_techniques_and_the_list_are_answered(run_edgekit: Run, tmp_path: Path) -> None:
    assert "magnitudes" in run_edgekit("explain", "EK101", cwd=tmp_path).stdout
    pair = run_edgekit("explain", "pruning", "quantization", cwd=tmp_path).stdout
    assert pair.index("pruning, then quantization") < pair.index("EK104") < pair.index("quantization, then pruning")
    listed = run_edgekit("explain", cwd=tmp_path).stdout
    assert "EK001" in listed and "EK411" in listed
    data = json.loads(run_edgekit("explain", "EK190", "--json", cwd=tmp_path).stdout)
    assert data["findings"][0]["code"] == "EK190"
    nothing = run_edgekit("explain", "training", "graph", cwd=tmp_path)
    assert nothing.returncode == 0 and "says nothing of this order" in nothing.stdout
    for word, part in (("order", "Why does the order matter?"), ("fp16", "no step"), ("glossary", "per-channel")):
        done = run_edgekit("explain", word, cwd=tmp_path)
        assert done.returncode == 0 and part in done.stdout
    assert run_edgekit("explain", "post-training", "quantization", cwd=tmp_path).stdout.startswith("post-training")
    wrong = run_edgekit("explain", "prunning", cwd=tmp_path)
    assert wrong.returncode == 2 and "did you mean 'pruning'" in wrong.stderr


def test_a_projects_own_rows_are_explained(run_edgekit: Run, make_project: Callable[..., Path]) -> None:
    folder = make_project()
    (folder / "interactions.toml").write_text(
        '[[interactions]]\ncode = "EK901"\ntitle = "what we never do"\nstep = { family = "distillation" }\n'
        'verdict = "moderate"\nwhy = "We tried."\nevidence = [{ kind = "measured", source = "us", says = "no" }]\n'
    )
    assert "what we never do" in run_edgekit("explain", "EK901", cwd=folder).stdout
    assert "EK901" in run_edgekit("explain", "-C", folder).stdout
