from pathlib import Path

import pytest

from edgekit.errors import EntryPointError
from edgekit.project.entrypoints import check_functions, entry_function

MODEL = """
import math
def fine(x=1): return x + 1
def raising(): return 1 / 0
number = 3
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "model.py").write_text(MODEL)
    return tmp_path


def test_a_function_is_found_and_called(root: Path) -> None:
    assert entry_function(root, "model:fine")(41) == 42


def test_two_projects_may_use_the_same_module_name(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "model.py").write_text("def fine(): return 'other'")
    assert entry_function(root, "model:fine")() == 2
    assert entry_function(other, "model:fine")() == "other"
    assert entry_function(root, "model:fine")() == 2


@pytest.mark.parametrize(
    ("entry", "told", "hint"),
    [
        ("absent:f", "there is no module 'absent'", "create absent.py"),
        ("model:fien", "no function 'fien'", "did you mean 'fine'?"),
        ("model:number", "is a int, not a function", "function"),
        ("json:loads", "is an installed module", "another name"),
    ],
)
def test_a_missing_entry_point_is_reported(root: Path, entry: str, told: str, hint: str) -> None:
    with pytest.raises(EntryPointError) as raised:
        entry_function(root, entry)
    assert told in raised.value.message
    assert hint in raised.value.hint


def test_a_function_that_raises_is_blamed_with_its_line(root: Path) -> None:
    with pytest.raises(EntryPointError) as raised:
        entry_function(root, "model:raising")()
    assert raised.value.message == "'model:raising' raised ZeroDivisionError: division by zero"
    assert "model.py, line 4" in raised.value.hint


@pytest.mark.parametrize(
    ("text", "told"),
    [("import nothing_of_this_name", "no module 'nothing_of_this_name'"), ("x = 1 / 0", "ZeroDivisionError")],
)
def test_a_module_that_cannot_be_imported_is_reported(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "broken.py").write_text(text)
    with pytest.raises(EntryPointError, match=told):
        entry_function(tmp_path, "broken:f")


def test_functions_are_checked_without_a_call(root: Path) -> None:
    (root / "more.py").write_text("def fails():\n    raise ValueError\n")
    check_functions(root, ["more:fails"])
    with pytest.raises(EntryPointError, match="has no function 'absent'"):
        check_functions(root, ["more:fails", "more:absent"])
