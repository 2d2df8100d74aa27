"""A step run by itself."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from edgekit.contract.artifact import Artifact
from edgekit.contract.step import Context, Outcome, Step, TargetView
from edgekit.data.splits import Splits
from edgekit.progress import Silent
from edgekit.project.project import Project, load_project
from edgekit.steps.export import Export
from edgekit.steps.simplify import Simplify
from edgekit.target import Target
from edgekit.target_files import find_target
from edgekit.traits import MODULE_ENTRY, Facts, Format, Role
from tests.conftest import TINY

RunStep = Callable[..., Outcome]


@pytest.fixture
def run_step(tmp_path: Path) -> RunStep:
    """Run a step on a model file (or on the student's entry point) and return what it leaves."""
    return step_runner(tmp_path)


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny student, untrained, exported and simplified; not to be written to. The exporter takes seconds."""
    return simplified(tmp_path_factory.mktemp("plain"), TINY)


def simplified(folder: Path, source: Path) -> Path:
    """The student of a project, exported and simplified below `folder`."""
    shutil.copytree(source, folder / "project", ignore=shutil.ignore_patterns("__pycache__"))
    project, run = load_project(folder / "project"), step_runner(folder)
    return run(Simplify(), project, run(Export(), project).path).path


def step_runner(place: Path) -> RunStep:
    count = iter(range(100))

    def run(
        step: Step,
        project: Project,
        model: Path | None = None,
        target: str | Target = "rpi4",
        joined: Mapping[Role, Any] | None = None,
        role: Role = Role.STUDENT,
    ) -> Outcome:
        folder = place / f"step_{next(count)}"
        (folder / "checkpoints").mkdir(parents=True)
        view = TargetView(find_target(target) if isinstance(target, str) else target, step.contract.target)
        context = Context(project, Splits(project), view, role, folder, folder / "checkpoints", Silent())
        return step.run(artifact(model or project.root / "entry", role=role), joined or {}, context)

    return run


def artifact(path: Path, facts: Facts = MODULE_ENTRY, role: Role = Role.STUDENT) -> Artifact:
    kind = Format.ONNX if path.suffix == ".onnx" else Format.TORCH
    return Artifact(path, kind, facts, "digest", role)
