from pathlib import Path

import pytest

from edgekit.errors import ModelError, ProjectError
from edgekit.project.from_file import file_project, to_project_name, write_project
from edgekit.project.project import UNSAID, load_project


def test_a_project_lies_beside_its_model(conv_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    project = file_project(Path("conv.onnx"), "samples")
    assert (project.root, project.name, project.metric) == (tmp_path, "conv", UNSAID)
    assert project.model_file == conv_model and project.data.calibration == str(tmp_path / "samples")
    assert project.holds_out and file_project(conv_model, "samples", folder=Path("other")).root == tmp_path / "other"


def test_written_it_is_the_same_project(conv_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    project = file_project(
        conv_model,
        "samples",
        evaluation="held",
        labels="labels.csv",
        metric="top5",
        recipe="int8",
        calibration_samples=9,
        preprocessing={"resize": [6, 8], "mean": [0.5]},
    )
    written = write_project(project, Path("new"), ["rpi4"])
    read = load_project(Path("new"))
    assert read == written and read.targets == ("rpi4",)
    assert read.model_file is not None and read.model_file.resolve() == conv_model
    places = [read.data.calibration, read.data.evaluation, read.data.labels]
    assert places == ["../samples", "../held", "../labels.csv"]
    assert (read.metric, read.recipe, read.data.calibration_samples) == ("top5", "int8", 9)
    assert read.preprocessing == {"resize": [6, 8], "mean": [0.5]}
    with pytest.raises(ProjectError, match=r"edgekit.toml exists already"):
        write_project(project, Path("new"))


def test_functions_stay_where_they_are(conv_model: Path, tmp_path: Path) -> None:
    project = file_project(conv_model, "data:samples")
    with pytest.raises(ProjectError, match="'data:samples' is in"):
        write_project(project, tmp_path / "new")
    assert write_project(project, tmp_path).data.calibration == "data:samples"


def test_models_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no file"):
        file_project(tmp_path / "no.onnx", "samples")
    with pytest.raises(ModelError, match="is a folder"):
        file_project(tmp_path, "samples")


@pytest.mark.parametrize(("text", "name"), [("mobilenet v2.0", "mobilenet_v2_0"), ("3d", "_3d"), ("ä", "_")])
def test_names_of_projects(text: str, name: str) -> None:
    assert to_project_name(text) == name
