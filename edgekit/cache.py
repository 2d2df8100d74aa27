"""A content-addressed cache of step outputs: entries are complete or absent, and concurrent builds are safe."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.errors import storage_errors
from edgekit.files import folder_bytes, sha256_of_file, write_json

_RECORD = "entry.json"


@dataclass(frozen=True)
class Entry:
    """A finished folder and what was recorded about it."""

    folder: Path
    record: dict[str, Any]


@dataclass(frozen=True)
class Usage:
    entries: int
    bytes: int
    unfinished_bytes: int


class Cache:
    """Entries by key. Work on a key happens in `partial/KEY`, which an interrupted build resumes, and becomes an entry
    by one rename."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str) -> Entry | None:
        """The entry of a key, its files checked against their digests; None if it is missing or damaged."""
        folder = self._entry(key)
        try:
            record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
            sound = all(sha256_of_file(folder / name) == digest for name, digest in record["files"].items())
        except (OSError, ValueError, KeyError):
            return None
        return Entry(folder, record) if sound else None

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
        """Make the key's output folder its entry, with `record` and the digests of its files."""
        output = self.folder / "partial" / key / "output"
        files = {path.name: sha256_of_file(path) for path in sorted(output.iterdir()) if path.is_file()}
        whole = {**record, "files": files, "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        write_json(output / _RECORD, whole)
        folder = self._entry(key)
        with storage_errors(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
            output.rename(folder)
        shutil.rmtree(output.parent, ignore_errors=True)
        return Entry(folder, whole)

    def usage(self) -> Usage:
        """How much the cache holds."""
        entries = self.folder / "entries"
        count = sum(1 for _ in entries.glob(f"*/*/{_RECORD}"))
        return Usage(count, folder_bytes(entries), folder_bytes(self.folder / "partial"))

    def prune(self, older_than_days: float = 0.0) -> int:
        """Remove entries older than so many days, and unfinished work, except for locked keys. Returns the bytes
        freed."""
        from filelock import FileLock, Timeout

        before = folder_bytes(self.folder)
        limit = time.time() - older_than_days * 86_400
        for folder in [*self.folder.glob("entries/*/*"), *self.folder.glob("partial/*")]:
            if folder.stat().st_mtime > limit:
                continue
            lock = FileLock(self.folder / "locks" / f"{folder.name}.lock")
            try:
                with lock.acquire(timeout=0):
                    shutil.rmtree(folder, ignore_errors=True)
            except Timeout:
                continue
            except FileNotFoundError:
                shutil.rmtree(folder, ignore_errors=True)
        return before - folder_bytes(self.folder)

    def _entry(self, key: str) -> Path:
        return self.folder / "entries" / key[:2] / key
