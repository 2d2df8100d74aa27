import subprocess
from collections.abc import Callable
from pathlib import Path

from edgekit.cache import Cache
from edgekit.project.project import load_project

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_the_size_is_told_and_pruned(run_edgekit: Run, make_project: Callable[..., Path]) -> None:
    folder = make_project()
    cache = Cache(load_project(folder).cache_folder)
    output, _ = cache.workspace("ab")
    (output / "model").write_bytes(b"x" * 3_000_000)
    cache.put("ab", {"kind": "step"})
    assert "steps: 1 entries, 3.0 MB" in run_edgekit("cache", cwd=folder).stdout
    assert "freed 0.0 MB" in run_edgekit("cache", "prune", "--days", "1", cwd=folder).stdout
    assert "freed 3.0 MB" in run_edgekit("cache", "prune", cwd=folder).stdout
    assert "steps: 0 entries" in run_edgekit("cache", cwd=folder).stdout
