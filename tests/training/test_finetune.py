from pathlib import Path

import torch

from edgekit.data.splits import Splits
from edgekit.progress import Silent
from edgekit.project.project import Project
from edgekit.steps.step import Context, TargetView
from edgekit.target import find_target
from edgekit.training.finetune import FineTuning, fine_tuned
from edgekit.training.held import Grid, Held, weights_of
from edgekit.training.loop import Schedule
from edgekit.training.modules import held_by, saved_module, untrained_module
from edgekit.traits import Role
from tests.steps.conftest import artifact

HELD = Held(sparse=True, grid=Grid(4, "channel"))


def context(project: Project, folder: Path) -> Context:
    (folder / "checkpoints").mkdir()
    view = TargetView(find_target("rpi4"), frozenset())
    return Context(project, Splits(project), view, Role.STUDENT, folder, folder / "checkpoints", Silent())


def test_trained_or_not_the_module_is_saved_with_what_it_holds(tiny: Project, tmp_path: Path) -> None:
    for epochs in (0, 2):
        folder = tmp_path / str(epochs)
        folder.mkdir()
        module = untrained_module(tiny, Role.STUDENT)
        tuning = FineTuning(Schedule(epochs, 0.01, 0.0), "re-estimated")
        done = fine_tuned(module, HELD, tuning, context(tiny, folder), "tuning")
        left = artifact(done.path)
        assert held_by(left) == HELD
        assert done.notes["epochs"] == epochs
        for each in weights_of(saved_module(tiny, left)).values():
            assert all(len(row.unique()) <= 15 for row in each)


def test_statistics_are_kept_only_where_asked(tiny: Project, tmp_path: Path) -> None:
    means = {}
    for choice in ("kept", "re-estimated"):
        folder = tmp_path / choice
        folder.mkdir()
        module = untrained_module(tiny, Role.STUDENT)
        fine_tuned(module, Held(), FineTuning(Schedule(0, 0.01, 0.0), choice), context(tiny, folder), "tuning")
        means[choice] = module.get_submodule("first.1").running_mean
    assert torch.equal(means["kept"], torch.zeros(16))
    assert not torch.equal(means["re-estimated"], torch.zeros(16))
