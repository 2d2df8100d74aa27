"""A content-addressed cache of step outputs: entries are complete or absent, and concurrent builds are safe.

Each entry is a folder that never changes. Its record is under a digest of its own, as are its files, so that a figure
that changed on the disk is not taken. Whoever uses an entry's files shares a lock on its record, which `prune` must
have alone.
"""

import json
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit.errors import StorageError, storage_errors
from edgekit.files import folder_bytes, sha256_of_file, sha256_of_json, write_bytes
from edgekit.locks import Hold, seize, share

_RECORD = "entry.json"
_SEAL = "sha256_of_the_rest"


@dataclass(frozen=True)
class Entry:
    """A finished folder and what was recorded about it."""

    folder: Path
    record: dict[str, Any]
    hold: Hold | None = field(default=None, compare=False, repr=False)
    """Keeps the files while it is referenced; None for an entry without files."""


@dataclass(frozen=True)
class Usage:
    entries: int
    bytes: int
    unfinished_bytes: int


@dataclass(frozen=True)
class Pruned:
    bytes: int
    in_use: int
    """Entries and unfinished work that were left because a build uses them, or because they are another user's."""


class Cache:
    """Entries by key. Work on a key happens in `partial/KEY`, which an interrupted build resumes, and becomes an entry
    by one rename."""

    def __init__(self, folder: Path) -> None:
        """Raises StorageError if a file is in the folder's place, or in that of a folder above it."""
        for place in (folder, *folder.parents):
            if place.exists():
                if not place.is_dir():
                    raise StorageError(f"{place} is no folder: the cache cannot be there", "move it away")
                break
        self.folder = folder

    def get(self, key: str) -> Entry | None:
        """The entry of a key, the newest if it was made again, its record and files checked against their digests; None
        if it is missing or damaged."""
        found = (_sound_entry(folder, key) for folder in reversed(self._folders(key)))
        return next((entry for entry in found if entry is not None), None)

    def entry(
        self,
        key: str,
        make: Callable[[Path, Path], dict[str, Any]],
        waiting: Callable[[], None] = lambda: None,
        usable: Callable[[dict[str, Any]], bool] = lambda _: True,
    ) -> tuple[Entry, bool]:
        """The entry of a key, and whether it existed.

        If it did not, or if its record is not `usable`, the key is locked while `make(output, checkpoints)` fills the
        output folder and returns the record. Of concurrent builds one does the work, and the others use its entry.
        """
        found = self.get(key)
        if found is not None and usable(found.record):
            return found, True
        with self.lock(key, waiting):
            found = self.get(key)
            if found is not None and usable(found.record):
                return found, True
            return self.put(key, make(*self.workspace(key))), False

    @contextmanager
    def lock(self, key: str, waiting: Callable[[], None]) -> Iterator[None]:
        """Lock a key, so that concurrent builds do not repeat work; `waiting` is called once if another build holds
        it."""
        from filelock import FileLock, Timeout

        path = self.folder / "locks" / f"{key}.lock"
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(path)
            try:
                lock.acquire(timeout=0.05)
            except Timeout:
                waiting()
                lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def workspace(self, key: str) -> tuple[Path, Path]:
        """Two folders for the holder of a key: an empty one for output, and one for checkpoints that persists."""
        partial = self.folder / "partial" / key
        output, checkpoints = partial / "output", partial / "checkpoints"
        with storage_errors(partial):
            shutil.rmtree(output, ignore_errors=True)
            output.mkdir(parents=True)
            checkpoints.mkdir(exist_ok=True)
        return output, checkpoints

    def put(self, key: str, record: dict[str, Any]) -> Entry:
        """Make the key's output folder its entry, with `record` and the digests of its files. Only the holder of the
        key's lock may call it. Earlier entries of the key are removed unless another build uses them."""
        output = self.folder / "partial" / key / "output"
        created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        whole = {**record, "key": key, "files": _digests(output), "created": created}
        whole = json.loads(json.dumps(whole))  # as `get` reads it: tuples become lists
        write_bytes(output / _RECORD, _encode(whole))
        earlier = self._folders(key)
        number = 1 + max(map(_number, earlier), default=0)
        # A name is never used again: another build may be removing the folder that had it.
        folder = self.folder / "entries" / key[:2] / f"{key}-{number}-{secrets.token_hex(4)}"
        hold = share(output / _RECORD)
        with storage_errors(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            output.rename(folder)
        shutil.rmtree(output.parent, ignore_errors=True)
        for each in earlier:
            _remove_entry(each)
        return _entry(folder, whole, hold)

    def usage(self) -> Usage:
        """How much the cache holds."""
        entries = self.folder / "entries"
        count = sum(1 for _ in entries.glob(f"*/*/{_RECORD}"))
        return Usage(count, folder_bytes(entries), folder_bytes(self.folder / "partial"))

    def prune(self, older_than_days: float = 0.0) -> Pruned:
        """Remove entries and unfinished work that are at least so many days old and that no build uses."""
        before = folder_bytes(self.folder)
        limit = time.time() - older_than_days * 86_400
        in_use = 0
        for pattern, remove in (("entries/*/*", _remove_entry), ("partial/*", self._remove_unfinished)):
            for folder in self.folder.glob(pattern):
                # Without an age everything goes: the clock may have been ahead when a folder was made.
                if not older_than_days or _modified(folder) <= limit:
                    in_use += not remove(folder)
        return Pruned(before - folder_bytes(self.folder), in_use)

    def _remove_unfinished(self, folder: Path) -> bool:
        from filelock import FileLock, Timeout

        locks = self.folder / "locks"
        with storage_errors(locks):
            locks.mkdir(exist_ok=True)
            try:
                with FileLock(locks / f"{folder.name}.lock").acquire(timeout=0):
                    shutil.rmtree(folder, ignore_errors=True)
            except Timeout:
                return False
        return True

    def _folders(self, key: str) -> list[Path]:
        """The folders of a key's entries, oldest first."""
        found = [each for each in (self.folder / "entries" / key[:2]).glob(f"{key}-*") if _number(each)]
        return sorted(found, key=_number)


def _number(folder: Path) -> int:
    """How often a key's entry had been made when it was put into this folder; 0 if the name does not say."""
    parts = folder.name.split("-")
    return int(parts[1]) if len(parts) == 3 and parts[1].isdecimal() else 0


def _sound_entry(folder: Path, key: str) -> Entry | None:
    hold = share(folder / _RECORD)
    if hold is None:
        return None
    try:
        record = _decode((folder / _RECORD).read_bytes())
        if record["key"] != key or record["files"] != _digests(folder):
            return None
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    return _entry(folder, record, hold)


def _entry(folder: Path, record: dict[str, Any], hold: Hold | None) -> Entry:
    return Entry(folder, record, hold if record["files"] else None)


def _encode(record: dict[str, Any]) -> bytes:
    """A record's file, the same bytes for the same values, with the digest of the values."""
    return (json.dumps({**record, _SEAL: sha256_of_json(record)}, indent=2) + "\n").encode()


def _decode(content: bytes) -> dict[str, Any]:
    """The inverse of `_encode`, without the digest. Raises ValueError, KeyError or TypeError if a byte was changed."""
    record: dict[str, Any] = json.loads(content)
    del record[_SEAL]
    if content != _encode(record):
        raise ValueError("the record does not match its digest")
    return record


def _digests(folder: Path) -> dict[str, str]:
    """The digests of an entry's files, without its record."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / _RECORD)
    return {str(path.relative_to(folder)): sha256_of_file(path) for path in paths}


def _remove_entry(folder: Path) -> bool:
    """Remove an entry, or what is left of one; returns False if a build uses it, or if it is another user's."""
    record = folder / _RECORD
    hold = seize(record)
    if hold is None and record.exists():
        return False
    shutil.rmtree(folder, ignore_errors=True)
    return True


def _modified(folder: Path) -> float:
    """The time of the last change in seconds; 0 if the folder was removed meanwhile."""
    try:
        return folder.stat().st_mtime
    except OSError:
        return 0.0
