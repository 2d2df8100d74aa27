"""Folders that are kept in the user's cache: their files are checked against the digests that were recorded when they
were written."""

import json
import os
from pathlib import Path

from edgekit.files import read_sealed, sha256_of_file, write_sealed

_SOUND: set[Path] = set()
"""Folders that this process has checked."""


def seal_folder(folder: Path) -> None:
    """Record the digest of every file below a folder, beside it."""
    write_sealed(_record(folder), json.dumps(_digests(folder)).encode())
    _SOUND.add(folder)


def is_sound(folder: Path) -> bool:
    """Whether a folder holds what it held when it was sealed: each file, each link, and nothing else. It is read once
    in a process."""
    if folder in _SOUND and folder.is_dir():
        return True
    recorded = read_sealed(_record(folder))
    if recorded is None or not folder.is_dir() or json.loads(recorded) != _digests(folder):
        return False
    _SOUND.add(folder)
    return True


def forget(folder: Path) -> None:
    """Remove the record of a folder before its content changes."""
    _SOUND.discard(folder)
    _record(folder).unlink(missing_ok=True)


def _record(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.sealed")


def _digests(folder: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for place, folders, files in os.walk(folder):
        for name in sorted(files + folders):
            path = Path(place, name)
            if path.is_symlink():
                found[str(path.relative_to(folder))] = f"link to {path.readlink()}"
            elif name in files:
                found[str(path.relative_to(folder))] = sha256_of_file(path)
    return found
