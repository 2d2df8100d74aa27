import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from edgekit import scratch
from edgekit.errors import StorageError
from edgekit.scratch import clear_leftovers, temporary_folder


def test_it_is_empty_and_removed_at_the_end(tmp_path: Path) -> None:
    with temporary_folder(tmp_path) as folder:
        assert not any(folder.iterdir())
        (folder / "model").touch()
    assert not any(tmp_path.iterdir())
    with pytest.raises(KeyError), temporary_folder(tmp_path):
        raise KeyError
    assert not any(tmp_path.iterdir())


def _make_and_die(parent: Path) -> None:
    with temporary_folder(parent) as folder:
        (folder / "model").touch()
        os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_kill_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "edgekit-notes").mkdir()
    (tmp_path / "edgekit-notes" / "mine").touch()
    killed = multiprocessing.get_context("spawn").Process(target=_make_and_die, args=(tmp_path,))
    killed.start()
    killed.join()
    assert killed.exitcode == -signal.SIGKILL and len(list(tmp_path.rglob("model"))) == 1
    with temporary_folder(tmp_path) as alive:
        assert not list(tmp_path.rglob("model"))
        clear_leftovers(tmp_path)
        assert alive.is_dir()
    assert [each.name for each in tmp_path.rglob("*")] == ["edgekit-notes", "mine"]


def test_the_systems_folder_is_cleared_once_in_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    scratch.clear_system_leftovers.cache_clear()
    left = tmp_path / "edgekit-left"
    (left / "work").mkdir(parents=True)
    (left / ".edgekit-lock").touch()
    with temporary_folder() as folder:
        assert folder.parent.parent == tmp_path and not left.exists()
    assert not any(tmp_path.iterdir())


def test_a_folder_that_another_start_took_for_a_leftover_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, taken = scratch.own, []

    def own(path: Path) -> object:
        if not taken:
            taken.append(path)
            clear_leftovers(tmp_path)
        return real(path)

    monkeypatch.setattr(scratch, "own", own)
    with temporary_folder(tmp_path) as folder:
        assert folder.is_dir() and not taken[0].exists()


def test_a_place_that_is_a_file_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be written: Not a directory"), temporary_folder(tmp_path / "file"):
        pass
