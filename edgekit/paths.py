"""Files and folders that a user names: read within limits, links followed once."""

import errno
import stat
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class FolderFiles:
    """What is below a folder; links are followed."""

    files: tuple[Path, ...]
    """Regular files, sorted."""
    others: tuple[tuple[Path, str], ...] = ()
    """Paths that are not among them, and why: pipes, links to nothing, folders that were listed before."""
    unreadable: tuple[tuple[Path, str], ...] = ()
    """Folders that cannot be listed, and why."""


def files_below(folder: Path) -> FolderFiles:
    """Everything below a folder, through links as well. A folder that several paths lead to is listed once."""
    files: list[Path] = []
    others: list[tuple[Path, str]] = []
    unreadable: list[tuple[Path, str]] = []
    listed: dict[tuple[int, int], Path] = {}
    waiting = [folder]
    while waiting:
        place = waiting.pop()
        try:
            state = place.stat()
            first = listed.setdefault((state.st_dev, state.st_ino), place)
            if first is not place:
                others.append((place, f"is the folder {first} once more, through a link"))
                continue
            entries = sorted(place.iterdir())
        except OSError as error:
            unreadable.append((place, f"cannot be read: {error.strerror}"))
            continue
        for each in entries:
            if each.is_dir():
                waiting.append(each)
            elif each.is_file():
                files.append(each)
            else:
                others.append((each, "is a link to nothing" if each.is_symlink() else "is a pipe or a device"))
        waiting.sort(reverse=True)
    return FolderFiles(tuple(sorted(files)), tuple(others), tuple(unreadable))


def is_there(path: Path) -> bool:
    """Whether there is a file or folder; also False for a path that none can have, such as one that is too long."""
    try:
        return path.exists()
    except OSError:
        return False


def read_regular(path: Path, most_bytes: int) -> bytes:
    """The bytes of a file. Raises OSError for a pipe or a device, from which reading may never end, and for a file of
    more than `most_bytes`."""
    state = path.stat()
    if stat.S_ISDIR(state.st_mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
    if not stat.S_ISREG(state.st_mode):
        raise OSError(errno.EINVAL, "it is a pipe or a device", str(path))
    if state.st_size > most_bytes:
        raise OSError(errno.EFBIG, f"it has {state.st_size:,} bytes, more than {most_bytes:,}", str(path))
    return path.read_bytes()
