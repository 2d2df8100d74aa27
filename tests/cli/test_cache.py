import shutil
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


def test_the_cache_of_a_model_file_needs_no_project(run_edgekit: Run, tmp_path: Path) -> None:
    cache = Cache(tmp_path / ".edgekit" / "cache")
    output, _ = cache.workspace("ab")
    (output / "model").touch()
    entry = cache.put("ab", {"kind": "step"})
    assert "steps: 1 entries" in run_edgekit("cache", "-C", tmp_path).stdout
    assert "left 1 folder in use or of another user" in run_edgekit("cache", "-C", tmp_path, "prune").stdout
    del entry
    assert run_edgekit("cache", "-C", tmp_path, "prune").stdout.startswith("freed 0.0 MB\n")
    assert cache.usage().entries == 0


def test_a_file_in_the_place_of_the_cache(run_edgekit: Run, make_project: Callable[..., Path]) -> None:
    folder = make_project()
    for name in (".edgekit", ".edgekit/cache"):
        shutil.rmtree(folder / ".edgekit", ignore_errors=True)
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("")
        for arguments in (("cache", "-C", folder), ("cache", "-C", folder, "prune"), ("build", "-C", folder)):
            done = run_edgekit(*arguments)
            assert done.returncode == 3 and f"{folder / name} is no folder: the cache cannot be there" in done.stderr
        (folder / name).unlink()
