import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.data.listing import FileKind, listing_of
from edgekit.errors import DataError
from tests.modes import heed_modes


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


def test_a_class_that_is_a_link_is_listed(tmp_path: Path) -> None:
    touched(tmp_path, "samples/0/a.png", "elsewhere/b.png")
    (tmp_path / "samples" / "1").symlink_to("../elsewhere")
    found = listing_of(tmp_path / "samples")
    assert [str(path.relative_to(found.root)) for path in found.paths] == ["0/a.png", "1/b.png"]


def test_what_would_be_left_out_is_refused_by_name(tmp_path: Path) -> None:
    touched(tmp_path, "0/a.png")
    odd: list[tuple[Path, Callable[[Path], None], str]] = [
        (tmp_path / "1", lambda path: path.symlink_to("0"), "is the folder .*0.* once more, through a link"),
        (tmp_path / "0" / "up", lambda path: path.symlink_to(".."), "once more, through a link"),
        (tmp_path / "0" / "b.png", lambda path: path.symlink_to("nothing"), "is a link to nothing"),
        (tmp_path / "0" / "b.png", lambda path: os.mkfifo(path), "is a pipe or a device"),
    ]
    for path, make, why in odd:
        make(path)
        with pytest.raises(DataError, match=f"{path.name} .*{why}|{why}"):
            listing_of(tmp_path)
        path.unlink()
    os.mkfifo(tmp_path / ".pipe.png")
    (tmp_path / "notes").symlink_to("nothing")
    assert len(listing_of(tmp_path).paths) == 1, "hidden and other files are ignored"


def test_a_pipe_is_no_sample(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(DataError, match="is a pipe or a device"):
        listing_of(tmp_path / "a.png")


def test_a_folder_that_cannot_be_listed_is_refused(tmp_path: Path) -> None:
    touched(tmp_path, "0/a.png", "1/b.png")
    script = "import sys; from pathlib import Path; from edgekit.data.listing import listing_of\n"
    script += "listing_of(Path(sys.argv[1]))"
    (tmp_path / "1").chmod(0)
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        preexec_fn=heed_modes,
        check=False,
    )
    (tmp_path / "1").chmod(0o755)
    assert "DataError" in done.stderr and "1 cannot be read: Permission denied" in done.stderr
