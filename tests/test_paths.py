import os
from pathlib import Path

import pytest

from edgekit.paths import files_below, is_there, read_regular


def test_links_below_a_folder_are_followed_once(tmp_path: Path) -> None:
    (root := tmp_path / "root").mkdir()
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (elsewhere / "a").touch()
    (root / "linked").symlink_to(elsewhere)
    (root / "again").symlink_to(elsewhere)
    (root / "circle").symlink_to(root)
    (root / "nowhere").symlink_to("nothing")
    os.mkfifo(root / "pipe")
    found = files_below(root)
    assert found.files == (root / "again" / "a",) and not found.unreadable
    assert {path.name: why.split(",")[0] for path, why in found.others} == {
        "circle": f"is the folder {root} once more",
        "linked": f"is the folder {root / 'again'} once more",
        "nowhere": "is a link to nothing",
        "pipe": "is a pipe or a device",
    }
    assert files_below(tmp_path / "absent").unreadable == (
        (tmp_path / "absent", "cannot be read: No such file or directory"),
    )


def test_a_thousand_folders_in_one_another(tmp_path: Path) -> None:
    place = tmp_path
    for _ in range(300):
        place = place / "d"
        place.mkdir()
    (place / "file").touch()
    assert files_below(tmp_path).files == (place / "file",)


def test_a_path_that_no_file_can_have_is_not_there(tmp_path: Path) -> None:
    assert is_there(tmp_path)
    for name in ("absent", "a" * 5000, "a\0b"):
        assert not is_there(tmp_path / name)


def test_only_regular_files_of_a_size_are_read(tmp_path: Path) -> None:
    (path := tmp_path / "file").write_bytes(b"12345")
    assert read_regular(path, 5) == b"12345"
    os.mkfifo(tmp_path / "pipe")
    for wrong, told in ((path, "it has 5 bytes, more than 4"), (tmp_path / "pipe", "pipe"), (tmp_path, "folder")):
        with pytest.raises(OSError, match=told):
            read_regular(wrong, 4)
