"""The files that a project declares its data to depend on, and their digest."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from edgekit.errors import DataError, first_line
from edgekit.files import sha256_of_file, sha256_of_json
from edgekit.paths import files_below


def data_files_digest(root: Path, patterns: Sequence[str]) -> str:
    """The digest of the files below `root` that have one of the names or match one of the patterns, links followed. A
    name with a final slash is a folder with everything below it, at any path; a missing folder is part of the digest as
    missing.

    Raises DataError if another name or pattern matches nothing, and for what cannot be read.
    """
    digests: dict[str, str] = {}
    for pattern in patterns:
        if pattern.endswith("/"):
            digests[pattern] = _folder_digest(root / pattern)
            continue
        found = _matching(root, pattern)
        if not found:
            raise DataError(f"data_files: '{pattern}' matches no file in {root}", "correct the path or pattern")
        digests.update({str(path.relative_to(root)): sha256_of_file(path) for path in found})
    return sha256_of_json(digests)


def _folder_digest(folder: Path) -> str:
    """The digest of all files below a folder by relative path; empty if it does not exist."""
    if not folder.is_dir():
        return ""
    return sha256_of_json({str(path.relative_to(folder)): sha256_of_file(path) for path in _below(folder)})


def _matching(root: Path, pattern: str) -> list[Path]:
    parts = PurePosixPath(pattern).parts
    try:
        if "**" not in parts:
            return sorted(path for path in root.glob(pattern) if path.is_file())
        at = parts.index("**")  # Path.glob does not follow links below "**"
        folders = root.glob("/".join(parts[:at])) if at else [root]
        found = {path: path.relative_to(folder).parts for folder in folders for path in _below(folder)}
        return sorted(path for path, below in found.items() if _fits(below, parts[at:]))
    except (OSError, ValueError, NotImplementedError, IndexError) as error:
        raise DataError(
            f"data_files: '{pattern}' is no pattern: {first_line(error)}", "give it relative to the project's folder"
        ) from error


def _fits(names: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not names
    if pattern[0] == "**":
        return _fits(names, pattern[1:]) or (bool(names) and _fits(names[1:], pattern))
    return bool(names) and fnmatchcase(names[0], pattern[0]) and _fits(names[1:], pattern[1:])


def _below(folder: Path) -> tuple[Path, ...]:
    below = files_below(folder)
    for path, why in below.unreadable:
        raise DataError(f"data_files: {path} {why}", "correct its mode, or do not list it")
    return below.files
