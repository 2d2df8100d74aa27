from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from edgekit.contract.step import Context, TargetView
from edgekit.data.split import Split
from edgekit.data.splits import Splits
from edgekit.errors import DataError
from edgekit.progress import Silent
from edgekit.project.project import Project
from edgekit.target_files import find_target
from edgekit.training.evaluation import module_metric
from edgekit.training.loop import Schedule
from edgekit.training.modules import constraint_of, saved_module, untrained_module
from edgekit.training.trained import Training, train_module
from edgekit.training.weight_constraints import WeightConstraints, WeightGrid, weights_of
from edgekit.traits import Data, Role
from tests.steps.conftest import artifact

HELD = WeightConstraints(sparse=True, grid=WeightGrid(4, "channel"))


def context(project: Project, folder: Path) -> Context:
    (folder / "checkpoints").mkdir()
    view = TargetView(find_target("rpi4"), frozenset())
    return Context(project, Splits(project), view, Role.STUDENT, folder, folder / "checkpoints", Silent())


def test_trained_or_not_the_module_is_saved_with_what_it_holds(tiny: Project, tmp_path: Path) -> None:
    for epochs in (0, 2):
        folder = tmp_path / str(epochs)
        folder.mkdir()
        module = untrained_module(tiny, Role.STUDENT)
        training = Training(Schedule(epochs, 0.01, 0.0), "re-estimated")
        done = train_module(module, HELD, training, context(tiny, folder), "tuning")
        left = artifact(done.path)
        assert constraint_of(left) == HELD
        assert done.notes["epochs"] == epochs
        for each in weights_of(saved_module(tiny, left)).values():
            assert all(len(row.unique()) <= 15 for row in each)


def test_statistics_are_kept_only_where_asked(tiny: Project, tmp_path: Path) -> None:
    means = {}
    for choice in ("kept", "re-estimated"):
        folder = tmp_path / choice
        folder.mkdir()
        module = untrained_module(tiny, Role.STUDENT)
        train_module(
            module, WeightConstraints(), Training(Schedule(0, 0.01, 0.0), choice), context(tiny, folder), "tuning"
        )
        means[choice] = module.get_submodule("first.1").running_mean
    assert torch.equal(means["kept"], torch.zeros(16))
    assert not torch.equal(means["re-estimated"], torch.zeros(16))


def lagging() -> nn.Module:
    """As MobileNetV3 has it: batch norms whose statistics move by a hundredth a batch."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for before, after in ((1, 16), (16, 16)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after, momentum=0.01), nn.Hardswish()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 4))


@pytest.fixture
def of_student(monkeypatch: pytest.MonkeyPatch) -> object:
    """Let a module stand in the place of the tiny project's student."""

    def stand_in(make: object) -> None:
        import edgekit.training.modules as modules

        monkeypatch.setattr(modules, "untrained_module", lambda *_: make())

    return stand_in


@pytest.mark.parametrize("choice", ["kept", "re-estimated"])
def test_statistics_that_lag_are_taken_anew_after_training(
    tiny: Project, tmp_path: Path, of_student: object, choice: str
) -> None:
    of_student(lagging)
    module = lagging()
    done = train_module(
        module, WeightConstraints(), Training(Schedule(8, 0.02, 0.0), choice), context(tiny, tmp_path), "training"
    )
    metric = module_metric(module, tiny, Split(tiny, Data.EVALUATION))
    assert done.notes["accuracy"] > 90 and done.notes["batch_norm"] == choice
    assert (metric > 80) is (choice == "re-estimated"), metric
    assert (done.notes["at_rest"]["accuracy"] > 80) is (choice == "re-estimated")


def test_statistics_that_keep_up_stay(tiny: Project, tmp_path: Path) -> None:
    module = untrained_module(tiny, Role.STUDENT)
    done = train_module(
        module,
        WeightConstraints(),
        Training(Schedule(30, 0.002, 0.0), "re-estimated"),
        context(tiny, tmp_path),
        "training",
    )
    assert done.notes["batch_norm"] == "up to date"
    assert done.notes["at_rest"]["loss"] < 1.5


class OtherOutputs(nn.Module):
    """Two outputs in training, one in evaluation mode, where its loss cannot be computed."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Linear(64, 4))

    def forward(self, image: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        logits = self.layers(image)
        return (logits, logits) if self.training else logits


def test_a_loss_that_only_training_has_leaves_the_statistics(tiny: Project, tmp_path: Path, of_student: object) -> None:
    def loss(outputs: tuple[Tensor, ...], batch: object) -> Tensor:
        if len(outputs) < 2:
            raise DataError("two outputs are needed", "")
        return nn.functional.cross_entropy(outputs[1], batch.target)

    of_student(OtherOutputs)
    module = OtherOutputs()
    schedule = Schedule(2, 0.01, 0.0)
    done = train_module(
        module, WeightConstraints(), Training(schedule, "re-estimated"), context(tiny, tmp_path), "training", loss=loss
    )
    assert done.notes["batch_norm"] == "up to date" and "loss" not in done.notes["at_rest"]
    assert "accuracy" in done.notes["at_rest"]
