from pathlib import Path

import pytest

from edgekit.errors import DataError
from edgekit.project.data_files import data_files_digest


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """data/0/a.png, data/1 -> ../elsewhere with b.png, data/notes.txt."""
    for name in ("project/data/0/a.png", "project/data/notes.txt", "project/elsewhere/deep/b.png"):
        (path := tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "project" / "data" / "1").symlink_to("../elsewhere")
    return tmp_path / "project"


@pytest.mark.parametrize("pattern", ["data/", "data/**/*.png", "**/*.png", "data/**", "d*/**/b.png", "data/1/*/b.png"])
def test_what_a_link_leads_to_is_in_the_digest(root: Path, pattern: str) -> None:
    before = data_files_digest(root, [pattern])
    assert data_files_digest(root, [pattern]) == before
    (root / "elsewhere" / "deep" / "b.png").write_text("changed")
    assert data_files_digest(root, [pattern]) != before


def test_a_pattern_takes_what_it_names(root: Path) -> None:
    before = data_files_digest(root, ["data/**/*.png"])
    (root / "data" / "notes.txt").write_text("changed")
    assert data_files_digest(root, ["data/**/*.png"]) == before
    assert data_files_digest(root, ["data/*"]) != data_files_digest(root, ["data/"])


def test_links_in_a_circle_end(root: Path) -> None:
    before = data_files_digest(root, ["data/", "data/**/*.png"])
    (root / "data" / "0" / "up").symlink_to("..")
    assert data_files_digest(root, ["data/", "data/**/*.png"]) == before


@pytest.mark.parametrize("pattern", ["absent", "absent/**/*", "/etc/*", "", "**.png", "data/**/*.gif"])
def test_what_matches_nothing_or_is_no_pattern_is_reported(root: Path, pattern: str) -> None:
    with pytest.raises(DataError, match=r"data_files: '.*' (matches no file|is no pattern)"):
        data_files_digest(root, [pattern])


def test_a_folder_may_be_missing(root: Path) -> None:
    before = data_files_digest(root, ["later/"])
    (root / "later").mkdir()
    (root / "later" / "a").touch()
    assert data_files_digest(root, ["later/"]) != before
