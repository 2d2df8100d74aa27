from pathlib import Path

import pytest

from edgekit.errors import ProjectError
from edgekit.planning.recipe import recipe_of
from edgekit.project.project import load_project
from edgekit.project.template import new_project, project_name


def test_a_new_project_loads_under_its_folders_name(tmp_path: Path) -> None:
    written = new_project(tmp_path / "wake-word")
    assert {path.name for path in written} == {"edgekit.toml", "model.py", "data.py", ".gitignore"}
    project = load_project(tmp_path / "wake-word")
    assert project.name == "wake-word"
    assert recipe_of(project).steps
    text = (tmp_path / "wake-word" / "edgekit.toml").read_text()
    assert text.count("#") > 10, "the keys are explained"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("mine")
    with pytest.raises(ProjectError, match="exists already"):
        new_project(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model.py"]
    (tmp_path / "file").write_text("")
    with pytest.raises(ProjectError):
        new_project(tmp_path / "file")


@pytest.mark.parametrize(("folder", "name"), [("a b", "a_b"), ("1st", "_1st"), ("Größe", "Gr__e"), ("x-1", "x-1")])
def test_a_folders_name_becomes_a_projects(tmp_path: Path, folder: str, name: str) -> None:
    assert project_name(tmp_path / folder) == name
