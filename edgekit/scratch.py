"""Temporary folders: removed when their work ends, and, after a kill, by the next start."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from edgekit.errors import storage_errors
from edgekit.locks import Hold, own, seize

_PREFIX = "edgekit-"
_LOCK = ".edgekit-lock"
_WORK = "work"


@contextmanager
def temporary_folder(parent: Path | None = None) -> Iterator[Path]:
    """An empty folder that is removed at the end: in `parent`, there hidden, or in the system's temporary folder.
    Raises StorageError if it cannot be made."""
    place = _system_folder() if parent is None else parent
    with storage_errors(place):
        if parent is not None:
            clear_leftovers(parent)
        root, hold = _make(place, _PREFIX if parent is None else f".{_PREFIX}")
    try:
        yield root / _WORK
    finally:
        shutil.rmtree(root, ignore_errors=True)
        hold.release()


def clear_leftovers(folder: Path) -> None:
    """Remove the temporary folders in `folder` whose processes no longer exist: nobody holds their locks."""
    for root in folder.glob(f"*{_PREFIX}*"):
        hold = seize(root / _LOCK)
        if hold is not None:
            shutil.rmtree(root, ignore_errors=True)
            hold.release()


@cache
def clear_system_leftovers() -> None:
    """`clear_leftovers` of the system's temporary folder, once in a process."""
    clear_leftovers(Path(tempfile.gettempdir()))


def _system_folder() -> Path:
    clear_system_leftovers()
    return Path(tempfile.gettempdir())


def _make(parent: Path, prefix: str) -> tuple[Path, Hold]:
    """A new folder and its lock."""
    while True:
        root = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        (root / _WORK).mkdir()
        (root / _LOCK).touch()
        hold = own(root / _LOCK)
        if hold is not None:  # otherwise another start took it for a leftover
            return root, hold
