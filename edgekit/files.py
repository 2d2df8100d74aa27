"""Digests, and atomic writes."""

import glob
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from edgekit.errors import storage_errors
from edgekit.locks import Hold, own, seize

_UNFINISHED = ".edgekit"
"""The end of a temporary file's name."""


def sha256_of_file(path: Path) -> str:
    """The hex SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_json(value: Any) -> str:
    """The hex SHA-256 of a JSON value, independent of the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def write_bytes(path: Path, content: bytes) -> None:
    """Write to a temporary file in the same folder, then rename it, so that readers never see a partial file. Removes
    temporary files that a kill left of earlier writes to the same path.

    Raises StorageError if the disk is full.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        for left in path.parent.glob(f".{glob.escape(path.name)}.*{_UNFINISHED}"):
            hold = seize(left)
            if hold is not None:
                left.unlink(missing_ok=True)
                hold.release()
        temporary, hold = _new_file(path)
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        finally:
            hold.release()


def _new_file(path: Path) -> tuple[Path, Hold]:
    """A new temporary file beside `path`, and its lock."""
    while True:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_UNFINISHED)
        os.close(descriptor)
        hold = own(Path(name))
        if hold is not None:  # otherwise another writer took it for a leftover
            return Path(name), hold


def write_sealed(path: Path, content: bytes) -> None:
    """`write_bytes` with the content's digest in a first line, for `read_sealed`."""
    write_bytes(path, hashlib.sha256(content).hexdigest().encode() + b"\n" + content)


def read_sealed(path: Path) -> bytes | None:
    """What `write_sealed` wrote; None if the file is absent or a byte of it was changed."""
    try:
        digest, _, content = path.read_bytes().partition(b"\n")
    except OSError:
        return None
    return content if hashlib.sha256(content).hexdigest().encode() == digest else None


def write_json(path: Path, value: Any) -> None:
    """`write_bytes` of a JSON value, indented, with a final newline."""
    write_bytes(path, (json.dumps(value, indent=2) + "\n").encode())


def folder_bytes(folder: Path) -> int:
    """The size of all files below a folder; 0 if it does not exist."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
