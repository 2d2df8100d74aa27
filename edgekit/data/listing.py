"""The sample files at a path, and their kind."""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from edgekit.errors import DataError
from edgekit.paths import FolderFiles, files_below, is_there


class FileKind(StrEnum):
    IMAGES = "images"
    ARRAYS = "arrays"
    SOUNDS = "sounds"


_KINDS = {
    suffix: kind
    for kind, suffixes in {
        FileKind.IMAGES: ("png", "jpg", "jpeg", "bmp", "gif", "tif", "tiff", "webp", "ppm", "pgm"),
        FileKind.ARRAYS: ("npy", "npz"),
        FileKind.SOUNDS: ("wav", "flac"),
    }.items()
    for suffix in suffixes
}


@dataclass(frozen=True)
class Listing:
    root: Path
    """The folder, or the folder of a single file."""
    paths: tuple[Path, ...]
    """Sorted."""
    kind: FileKind


def listing_of(path: Path) -> Listing:
    """The sample files at `path`: a file, or a folder with everything below it, through links as well. Hidden and other
    files are ignored. Raises DataError if there are none, or several kinds, and for what would be left out otherwise: a
    folder that cannot be read or is there twice, and a pipe or a link to nothing in the place of a sample."""
    if not is_there(path):
        raise DataError(f"there is no {path}", "give a folder or file of samples, or module:function")
    alone = path.is_file()
    if not alone and not path.is_dir():
        raise DataError(f"{path} is a pipe or a device", "give a folder or file of samples, or module:function")
    below = FolderFiles((path,)) if alone else files_below(path)
    root = path.parent if alone else path
    for each, why in (*below.unreadable, *below.others):
        if not _hidden(root, each) and (_kind(each) or each.is_dir()):
            raise DataError(f"{each} {why}", "remove it, or put its samples there")
    paths = [each for each in below.files if _kind(each) and not _hidden(root, each)]
    kinds = Counter(_KINDS[_suffix(each)] for each in paths)
    if not kinds:
        what = "is not a file of samples" if alone else "holds no samples"
        raise DataError(f"{path} {what}", f"known are: {', '.join(sorted(_KINDS))}")
    if len(kinds) > 1:
        text = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        raise DataError(f"{path} holds files of several kinds: {text}", "keep files of one kind")
    return Listing(root, tuple(paths), next(iter(kinds)))


def raw_file(origin: str) -> Path | None:
    """The image or sound that a sample comes from; None for other samples."""
    path = Path(origin)
    return path if _kind(path) in (FileKind.IMAGES, FileKind.SOUNDS) and path.is_file() else None


def _suffix(path: Path) -> str:
    return path.suffix.removeprefix(".").lower()


def _kind(path: Path) -> FileKind | None:
    return _KINDS.get(_suffix(path))


def _hidden(root: Path, path: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)
