from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.fetching import kept as module
from edgekit.fetching.kept import forget, is_sound, seal_folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sealed folder that this process has not checked."""
    made = tmp_path / "kept"
    (made / "inner").mkdir(parents=True)
    (made / "inner" / "file").write_text("content")
    (made / "link").symlink_to("inner/file")
    seal_folder(made)
    monkeypatch.setattr(module, "_SOUND", set())
    return made


def test_what_was_not_changed_is_sound(folder: Path) -> None:
    assert is_sound(folder) and is_sound(folder)
    assert not is_sound(folder / "inner")


CHANGES: dict[str, Callable[[Path], object]] = {
    "a byte": lambda folder: (folder / "inner" / "file").write_text("Content"),
    "a file less": lambda folder: (folder / "inner" / "file").unlink(),
    "a file more": lambda folder: (folder / "inner" / "sitecustomize.py").write_text(""),
    "another link": lambda folder: ((folder / "link").unlink(), (folder / "link").symlink_to("/etc/passwd")),
    "a file instead of a link": lambda folder: ((folder / "link").unlink(), (folder / "link").write_text("content")),
    "the record": lambda folder: folder.with_name("kept.sealed").write_bytes(b"{}"),
    "no record": lambda folder: folder.with_name("kept.sealed").unlink(),
    "no folder": lambda folder: folder.rename(folder.with_name("moved")),
    "forgotten": forget,
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_changed_is_not(name: str, folder: Path) -> None:
    CHANGES[name](folder)
    assert not is_sound(folder)
