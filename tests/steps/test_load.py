from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from edgekit.contract.step import Outcome
from edgekit.errors import ProjectError
from edgekit.project.project import Project, load_project
from edgekit.steps.load import Load
from edgekit.training.modules import saved_module, untrained_module
from edgekit.traits import Role
from tests.steps.conftest import artifact


def test_declared_weights_are_loaded(run_step: Callable[..., Outcome], make_project: Callable[..., Path]) -> None:
    folder = make_project({'student = "model:student"': 'student = "model:student"\nstudent_weights = "w.pt"'})
    (folder / "w.pt").touch()
    project = load_project(folder)
    source = untrained_module(project, Role.STUDENT)
    torch.nn.init.constant_(source.get_parameter("head.bias"), 7.0)
    torch.save(source.state_dict(), folder / "w.pt")
    loaded = saved_module(project, artifact(run_step(Load(), project).path))
    assert torch.equal(loaded.get_parameter("head.bias"), torch.full((4,), 7.0))


def test_undeclared_weights_are_reported(run_step: Callable[..., Outcome], tiny: Project) -> None:
    with pytest.raises(ProjectError, match="has no weights") as raised:
        run_step(Load(), tiny)
    assert "student_weights" in raised.value.hint
