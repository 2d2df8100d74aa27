from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from edgekit.data.split import Split
from edgekit.errors import DataError, ModelError
from edgekit.progress import Silent
from edgekit.project.project import Project, load_project
from edgekit.training.evaluation import module_metric
from edgekit.training.loop import Schedule, fit
from edgekit.training.losses import task_loss
from edgekit.training.modules import untrained_module
from edgekit.traits import Data, Role

SCHEDULE = Schedule(epochs=4, learning_rate=0.01, weight_decay=0.01)


class Stop(Exception):
    pass


class StopAfter(Silent):
    """Interrupts training after an epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.seen: list[int] = []

    def advanced(self, what: str, done: int, total: int, detail: str = "") -> None:
        self.seen.append(done)
        if done == self.epoch:
            raise Stop


def trained(project: Project, checkpoint: Path, progress: Silent) -> dict[str, torch.Tensor]:
    module = untrained_module(project, Role.STUDENT)
    fit(module, Split(project, Data.TRAIN), task_loss(project), SCHEDULE, checkpoint, progress, "training")
    return module.state_dict()


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_an_interrupted_run_ends_in_the_same_weights(tiny: Project, tmp_path: Path, epoch: int) -> None:
    whole = trained(tiny, tmp_path / "whole.pt", Silent())
    with pytest.raises(Stop):
        trained(tiny, tmp_path / "torn.pt", StopAfter(epoch))
    rest = StopAfter(99)
    resumed = trained(tiny, tmp_path / "torn.pt", rest)
    assert rest.seen == list(range(epoch + 1, 5))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_a_damaged_checkpoint_is_not_resumed(tiny: Project, tmp_path: Path) -> None:
    whole = trained(tiny, tmp_path / "whole.pt", Silent())
    with pytest.raises(Stop):
        trained(tiny, tmp_path / "torn.pt", StopAfter(2))
    content = bytearray((tmp_path / "torn.pt").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "torn.pt").write_bytes(content)
    rest = StopAfter(99)
    resumed = trained(tiny, tmp_path / "torn.pt", rest)
    assert rest.seen == [1, 2, 3, 4]
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_training_learns_and_tells(tiny: Project, tmp_path: Path) -> None:
    module = untrained_module(tiny, Role.STUDENT)
    before = module_metric(module, tiny, Split(tiny, Data.EVALUATION))
    schedule = Schedule(epochs=12, learning_rate=0.01, weight_decay=0.01)
    result = fit(module, Split(tiny, Data.TRAIN), task_loss(tiny), schedule, tmp_path / "c.pt", Silent(), "training")
    assert module_metric(module, tiny, Split(tiny, Data.EVALUATION)) > max(before, 80)
    assert result["epochs"] == 12 and result["accuracy"] > 80 and result["loss"] < 1
    assert not module.training


def test_a_loss_that_runs_away_is_reported(tiny: Project, tmp_path: Path) -> None:
    module = untrained_module(tiny, Role.STUDENT)
    with pytest.raises(DataError, match=r"the loss became nan in epoch 1") as raised:
        fit(
            module,
            Split(tiny, Data.TRAIN),
            lambda o, _: o[0].sum() * float("nan"),
            SCHEDULE,
            tmp_path / "c",
            Silent(),
            "",
        )
    assert "learning_rate" in raised.value.hint


@pytest.mark.parametrize(("samples", "seen"), [(17, 16), (18, 18), (16, 16)])
def test_batch_norms_are_spared_a_last_batch_of_one(
    make_project: Callable[..., Path], tmp_path: Path, samples: int, seen: int
) -> None:
    folder = make_project()
    text = (folder / "data.py").read_text()
    (folder / "data.py").write_text(text.replace("images(96, 1)", f"images({samples}, 1)"))
    project = load_project(folder)
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.Linear(8, 4))
    counted: list[int] = []
    module[0].register_forward_hook(lambda _, __, output: counted.append(len(output)))
    schedule = Schedule(epochs=1, learning_rate=0.01, weight_decay=0.0)
    fit(module, Split(project, Data.TRAIN), task_loss(project), schedule, tmp_path / "c.pt", Silent(), "training")
    assert sum(counted) == seen


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")
def test_training_on_cuda_leaves_the_module_on_the_cpu(tiny: Project, tmp_path: Path) -> None:
    module = untrained_module(tiny, Role.STUDENT)
    result = fit(module, Split(tiny, Data.TRAIN), task_loss(tiny), SCHEDULE, tmp_path / "c.pt", Silent(), "training")
    assert result["device"] == "cuda"
    assert {parameter.device.type for parameter in module.parameters()} == {"cpu"}


@pytest.mark.parametrize("frozen", [True, False])
def test_a_module_that_cannot_be_trained_is_reported(tiny: Project, tmp_path: Path, frozen: bool) -> None:
    class Fixed(nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return image.flatten(1)[:, :4]

    module = untrained_module(tiny, Role.STUDENT).requires_grad_(False) if frozen else Fixed()
    with pytest.raises(ModelError, match="training: the module has no parameters that require gradients") as raised:
        fit(module, Split(tiny, Data.TRAIN), task_loss(tiny), SCHEDULE, tmp_path / "c.pt", Silent(), "training")
    assert "load its weights" in raised.value.hint
