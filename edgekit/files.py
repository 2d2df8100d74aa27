"""Digests, and atomic writes."""

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from edgekit.errors import storage_errors


def sha256_of_file(path: Path) -> str:
    """The hex SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_json(value: Any) -> str:
    """The hex SHA-256 of a JSON value, independent of the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def write_bytes(path: Path, content: bytes) -> None:
    """Write to a temporary file in the same folder, then rename it, so that readers never see a partial file.

    Raises StorageError if the disk is full.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def write_json(path: Path, value: Any) -> None:
    """`write_bytes` of a JSON value, indented, with a final newline."""
    write_bytes(path, (json.dumps(value, indent=2) + "\n").encode())


def folder_bytes(folder: Path) -> int:
    """The size of all files below a folder; 0 if it does not exist."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
