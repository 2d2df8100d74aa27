"""A project for a model file and its options, and the same as an edgekit.toml."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tomlkit

from edgekit.errors import ModelError, ProjectError
from edgekit.files import write_bytes
from edgekit.project.project import PROJECT_FILE, UNSAID, Datasets, Models, Project, is_function
from edgekit.records import validate


def file_project(
    model: Path,
    calibration: str | None,
    *,
    evaluation: str | None = None,
    labels: str | None = None,
    metric: str | None = None,
    recipe: str | None = None,
    folder: Path | None = None,
    calibration_samples: int | None = None,
    preprocessing: Mapping[str, Any] | None = None,
) -> Project:
    """The project of an ONNX file. Its cache and bundles are in `folder`, by default beside the model. Samples are the
    path of a folder or file, or a `module:function` in that folder; without samples only simplify can run.

    Raises ModelError if there is no such model, and ProjectError for invalid values.
    """
    if not model.is_file():
        text = f"{model} is a folder, not a model" if model.is_dir() else f"there is no file {model}"
        raise ModelError(text, "give an .onnx file")
    root = (folder or model.parent).resolve()
    given = {"calibration": calibration, "evaluation": evaluation, "labels": labels}
    data: dict[str, Any] = {key: _place(value) for key, value in given.items() if value is not None}
    if calibration_samples is not None:
        data["calibration_samples"] = calibration_samples
    values = {
        "root": root,
        "name": to_project_name(model.stem),
        "metric": metric or UNSAID,
        "recipe": str(Path(recipe).resolve()) if recipe and recipe.endswith(".toml") else recipe,
        "model": {"onnx": str(model.resolve())},
        "data": data,
        "preprocessing": dict(preprocessing or {}),
    }
    project: Project = validate(Project, values, model.name, ProjectError)
    return project


def to_project_name(text: str) -> str:
    """A text as a valid project name: letters, digits, - and _, starting with a letter."""
    name = re.sub(r"[^\w-]", "_", text, flags=re.ASCII)
    return name if re.match(r"[A-Za-z_]", name) else f"_{name}"


def write_project(project: Project, folder: Path, targets: Sequence[str] = ()) -> Project:
    """Write the project of a file, for targets, to `folder` as an edgekit.toml, and return it. Raises ProjectError if
    there is one already, or if a function would not be found from there."""
    path = folder / PROJECT_FILE
    if path.exists():
        raise ProjectError(f"{path} exists already", "give a new folder, or remove the file")
    for entry in (project.data.calibration, project.data.evaluation, project.metric):
        if entry and is_function(entry) and folder.resolve() != project.root:
            raise ProjectError(
                f"'{entry}' is in {project.root} and cannot be imported from {folder}",
                f"write the project there: --write-project {project.root}",
            )
    moved = project.copy_with(
        root=folder.resolve(),
        targets=tuple(targets),
        model=Models(onnx=_seen_from(folder, project.model.onnx or "")),
        data=_data_seen_from(folder, project.data),
    )
    write_bytes(path, _toml(moved).encode())
    return moved


def _place(value: str) -> str:
    """A path that is valid from any working directory."""
    return value if is_function(value) else str(Path(value).resolve())


def _seen_from(folder: Path, value: str) -> str:
    return value if is_function(value) else Path(os.path.relpath(value, folder.resolve())).as_posix()


def _data_seen_from(folder: Path, data: Datasets) -> Datasets:
    places = {key: getattr(data, key) for key in ("calibration", "evaluation", "labels")}
    return data.copy_with(**{key: _seen_from(folder, value) for key, value in places.items() if value is not None})


def _toml(project: Project) -> str:
    """What differs from a project's defaults."""
    document = tomlkit.document()
    document["name"] = project.name
    if project.targets:
        document["targets"] = list(project.targets)
    if project.recipe:
        document["recipe"] = project.recipe
    if project.metric != UNSAID:
        document["metric"] = project.metric
    fields = {
        "model": {"onnx": project.model.onnx},
        "data": {key: value for key, value in project.data.to_json().items() if value != getattr(Datasets(), key)},
        "preprocessing": project.preprocessing,
    }
    for name, values in fields.items():
        if values:
            table = tomlkit.table()
            table.update(values)
            document.add(tomlkit.nl())
            document[name] = table
    return tomlkit.dumps(document)
