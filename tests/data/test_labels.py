import os
from pathlib import Path

import pytest

from edgekit.data.labels import Labels, labels_of_folders, labels_of_table
from edgekit.data.samples import UNLABELLED
from edgekit.errors import DataError

ROOT = Path("samples")


def folders(*names: str) -> Labels:
    return labels_of_folders(ROOT, [ROOT / name for name in names])


def test_folders_by_name_are_numbered_in_alphabetical_order() -> None:
    found = folders("dog/1.png", "cat/x/2.png", "dog/3.png", "eel/4.png")
    assert [int(each) for each in found.targets] == [1, 0, 1, 2] and found.classes == ("cat", "dog", "eel")


def test_folders_that_are_numbers_stand_for_themselves() -> None:
    found = folders("10/1.png", "2/2.png")
    assert [int(each) for each in found.targets] == [10, 2] and found.classes == ()


@pytest.mark.parametrize("names", [("1.png", "2.png"), ("images/1.png", "images/2.png")])
def test_files_in_no_folder_or_one_have_no_labels(names: tuple[str, ...]) -> None:
    assert folders(*names).targets == (UNLABELLED, UNLABELLED)


def test_files_beside_folders_are_refused() -> None:
    with pytest.raises(DataError, match=r"samples has files in folders, but 3.png is in none"):
        folders("a/1.png", "b/2.png", "3.png")


def table(folder: Path, *rows: str) -> Path:
    path = folder / "labels.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8-sig")
    return path


PATHS = [ROOT / "a" / "1.png", ROOT / "b" / "1.png", ROOT / "2.png"]


@pytest.mark.parametrize("heading", [(), ("file,label",), ("file,label", "")])
def test_a_table_names_files_by_path_or_bare_name(tmp_path: Path, heading: tuple[str, ...]) -> None:
    found = labels_of_table(table(tmp_path, *heading, "a/1.png,dog", "./b/1.png, cat", "2.png,cat"), ROOT, PATHS)
    assert [int(each) for each in found.targets] == [1, 0, 0] and found.classes == ("cat", "dog")


def test_classes_of_files_elsewhere_are_counted_too(tmp_path: Path) -> None:
    rows = table(tmp_path, "2.png,3", "9.png,7")
    found = labels_of_table(rows, ROOT, PATHS[2:], [Path("others/9.png")])
    assert [int(each) for each in found.targets] == [3]


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        (("2.png,1",), r"a/1.png has no label in .*labels.csv \(nor have 1 others\)"),
        (("2.png,1", "3.png,1"), "line 2: there is no file '3.png' in samples"),
        (("1.png,1",), "line 1: 2 files have the name '1.png'"),
        (("2.png,1", "2.png,2"), "line 2: '2.png' is labelled twice: 1, 2"),
        (("2.png,1,2",), "line 1: the row has 3 columns, not 2"),
    ],
)
def test_what_does_not_match_is_named(tmp_path: Path, rows: tuple[str, ...], fault: str) -> None:
    with pytest.raises(DataError, match=fault) as raised:
        labels_of_table(table(tmp_path, *rows), ROOT, PATHS)
    assert raised.value.hint


def test_a_table_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        labels_of_table(tmp_path / "none.csv", ROOT, PATHS)
    (tmp_path / "labels.csv").write_bytes(b"\xff\xfe\x00,1\n")
    with pytest.raises(DataError, match="cannot be read"):
        labels_of_table(tmp_path / "labels.csv", ROOT, PATHS)


def test_numbers_that_no_label_can_be_are_refused() -> None:
    with pytest.raises(DataError, match=r"the label 10{30} is too large"):
        labels_of_folders(Path("r"), [Path(f"r/{name}/a.png") for name in ("0", "1" + "0" * 30)])


def test_a_table_that_never_ends_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "line.csv").write_text("a" * 200_000 + ",1")
    for name, told in (("pipe.csv", "it is a pipe or a device"), ("line.csv", "field larger than field limit")):
        with pytest.raises(DataError, match=told):
            labels_of_table(tmp_path / name, tmp_path, [tmp_path / "a.png"])
