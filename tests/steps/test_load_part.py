from collections.abc import Callable
from pathlib import Path

import torch

from edgekit.contract.step import Outcome
from edgekit.planning.plan import plan_of
from edgekit.planning.recipe import recipe_of
from edgekit.project.project import load_project
from edgekit.steps.load_part import LoadPart
from edgekit.training.modules import saved_module, untrained_module
from edgekit.traits import Role, Trait
from tests.steps.conftest import artifact


def test_a_part_is_loaded_and_is_not_yet_trained(
    run_step: Callable[..., Outcome], make_project: Callable[..., Path]
) -> None:
    declared = {
        'teacher = "model:teacher"\n': "",
        'student = "model:student"': 'student = "model:student"\nstudent_weights = "w.pt"',
    }
    folder = make_project(declared)
    text = (folder / "edgekit.toml").read_text()
    steps = "".join(f'[[steps]]\nuse = "{use}"\n' for use in ("load-part", "train", "export"))
    (folder / "edgekit.toml").write_text(text[: text.index("[[steps]]")] + steps)
    (folder / "w.pt").touch()
    project = load_project(folder)
    source = untrained_module(project, Role.STUDENT)
    torch.nn.init.constant_(source.get_parameter("first.0.weight"), 7.0)
    torch.save({**source.state_dict(), "head.weight": torch.zeros(9, 16)}, folder / "w.pt")
    done = run_step(LoadPart(), project)
    loaded = saved_module(project, artifact(done.path))
    assert torch.equal(loaded.get_parameter("first.0.weight"), source.get_parameter("first.0.weight"))
    assert (done.notes["left"], done.notes["made"]) == (["head.weight"], ["head.weight"])
    plan = plan_of(recipe_of(project), project.roles)
    assert [Trait.CONVERGED in step.facts for step in plan.steps[:2]] == [False, True]
