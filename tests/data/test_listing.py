from pathlib import Path

import pytest

from edgekit.data.listing import FileKind, listing_of
from edgekit.errors import DataError


def touched(root: Path, *names: str) -> list[Path]:
    paths = [root / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return paths


def test_a_folder_is_searched_to_its_ground(tmp_path: Path) -> None:
    wanted = touched(tmp_path, "b/1.JPG", "a/x/2.png")
    touched(tmp_path, "labels.csv", "README.md", ".hidden/3.png", "a/._2.png", "Thumbs.db")
    found = listing_of(tmp_path)
    assert found.paths == tuple(sorted(wanted)) and found.kind is FileKind.IMAGES and found.root == tmp_path


def test_a_file_is_a_listing_of_one(tmp_path: Path) -> None:
    (path,) = touched(tmp_path, "samples.npz")
    found = listing_of(path)
    assert (found.paths, found.root, found.kind) == ((path,), tmp_path, FileKind.ARRAYS)


def test_nothing_to_be_found(tmp_path: Path) -> None:
    touched(tmp_path, "a/notes.txt")
    for path, fault in [
        (tmp_path / "no", "there is no .*no"),
        (tmp_path, "holds no samples"),
        (tmp_path / "a" / "notes.txt", "is not a file of samples"),
    ]:
        with pytest.raises(DataError, match=fault):
            listing_of(path)


def test_several_kinds_in_one_folder(tmp_path: Path) -> None:
    touched(tmp_path, "1.png", "2.png", "3.npy")
    with pytest.raises(DataError, match="several kinds: 1 arrays, 2 images"):
        listing_of(tmp_path)
