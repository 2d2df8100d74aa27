from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.errors import DataError, ProjectError
from edgekit.project.project import Project, load_project
from edgekit.traits import Data, Role


def test_a_project_is_read(tiny: Project) -> None:
    assert (tiny.name, tiny.seed, tiny.targets) == ("tiny", 0, ("rpi4",))
    assert tiny.model_entry(Role.TEACHER) == "model:teacher"
    assert tiny.data_entry(Data.CALIBRATION) == "data:calibration"
    assert tiny.budgets.max_drop == 100.0
    assert tiny.functions == ("model:teacher", "model:student", "data:train", "data:calibration", "data:evaluation")
    assert tiny.copy_with(metric="score:r2", loss="score:loss").functions[-2:] == ("score:r2", "score:loss")


def test_calibration_falls_back_on_the_training_split(make_project: Callable[..., Path]) -> None:
    project = load_project(make_project({'calibration = "data:calibration"\n': ""}))
    assert project.data_entry(Data.CALIBRATION) == "data:train"


@pytest.mark.parametrize(
    ("old", "new", "told", "hint"),
    [
        ("seed = 0", "sed = 0", "unknown key 'sed'", "did you mean 'seed'?"),
        ("teacher =", "techer =", "unknown key 'model.techer'", "did you mean 'teacher'?"),
        ("max_drop", "max_dorp", "unknown key 'budgets.max_dorp'", "did you mean 'max_drop'?"),
        ('student = "model:student"', 'student = "student"', "'model.student' is 'student'", ""),
        ('student = "model:student"\n', "", "'model.student' is missing", "add"),
        ("seed = 0", "seed = -1", "'seed' is -1", ""),
        ("batch_size = 16", 'batch_size = "many"', "'data.batch_size'", ""),
        ("seed = 0", 'recipe = "distil-int8"', "both 'recipe' and [[steps]]", "keep one"),
        ("seed = 0", 'root = "/"', "unknown key 'root'", "remove"),
        ('name = "tiny"', 'name = "two words"', "'name' is 'two words'", ""),
    ],
)
def test_a_wrong_key_is_named(make_project: Callable[..., Path], old: str, new: str, told: str, hint: str) -> None:
    with pytest.raises(ProjectError) as raised:
        load_project(make_project({old: new}))
    assert told in raised.value.message
    assert hint in raised.value.hint


def test_a_folder_without_a_project_and_broken_toml_are_reported(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"no edgekit\.toml") as raised:
        load_project(tmp_path)
    assert "edgekit init" in raised.value.hint
    for content in (b"name = ", b"\xff\xfe", b""):
        (tmp_path / "edgekit.toml").write_bytes(content)
        with pytest.raises(ProjectError):
            load_project(tmp_path)


def test_declared_files_are_watched(make_project: Callable[..., Path]) -> None:
    folder = make_project({"data_files = []": 'data_files = ["samples/*.bin"]'})
    (folder / "samples").mkdir()
    (folder / "samples" / "a.bin").write_bytes(b"1")
    before = load_project(folder).declared_data_digest()
    (folder / "samples" / "b.bin").write_bytes(b"2")
    assert load_project(folder).declared_data_digest() != before


@pytest.mark.parametrize("pattern", ["{place}/", "../elsewhere/samples/"])
def test_a_folder_may_lie_elsewhere_and_be_absent(
    make_project: Callable[..., Path], tmp_path: Path, pattern: str
) -> None:
    place = tmp_path / "elsewhere" / "samples"
    named = pattern.format(place=place)
    project = load_project(make_project({"data_files = []": f'data_files = ["{named}"]'}))
    digests = [project.declared_data_digest()]
    (place / "deep").mkdir(parents=True)
    digests.append(project.declared_data_digest())
    (place / "deep" / "a.bin").write_bytes(b"1")
    digests.append(project.declared_data_digest())
    (place / "deep" / "a.bin").rename(place / "b.bin")
    digests.append(project.declared_data_digest())
    assert len(set(digests)) == 4


def test_a_pattern_that_matches_nothing_is_reported(make_project: Callable[..., Path]) -> None:
    project = load_project(make_project({"data_files = []": 'data_files = ["absent/*"]'}))
    with pytest.raises(DataError, match="matches no file"):
        project.declared_data_digest()


def test_weights_that_are_not_there_are_reported(make_project: Callable[..., Path]) -> None:
    with pytest.raises(ProjectError, match=r"weights file 't\.pt' does not exist"):
        load_project(make_project({'student = "model:student"': 'student = "model:student"\nteacher_weights = "t.pt"'}))
