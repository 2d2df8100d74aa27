from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from edgekit.data.split import Split
from edgekit.project.project import Project
from edgekit.training.batches import tensor_example
from edgekit.training.fakequant import Rounding
from edgekit.training.loop import Schedule, fit
from edgekit.training.losses import task_loss
from edgekit.training.modules import device_of_training, untrained_module
from edgekit.training.weight_constraints import WeightConstraints, WeightGrid
from edgekit.traits import Data, Role
from tests.training.test_loop import Stop, StopAfter


def rounding_of(
    module: nn.Module, project: Project, *, symmetric: bool = False, grid: WeightGrid | None = None
) -> Rounding:
    return Rounding(module, WeightConstraints(grid=grid), Split(project, Data.CALIBRATION), 32, symmetric=symmetric)


def example(project: Project) -> tuple[Tensor, ...]:
    """Inputs where a module lies whose ranges were observed."""
    return tensor_example(Split(project, Data.CALIBRATION)).on(device_of_training()).inputs


class Reads(nn.Module):
    """Operators that compute, in every way of writing them, and some that do not."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 4, 3, padding=1)
        self.head = nn.Linear(4, 4)
        self.bias = nn.Parameter(torch.ones(4))

    def forward(self, image: Tensor) -> Tensor:
        features = self.convolution(image).relu()
        again = nn.functional.silu(features)
        again += features
        pooled = torch.cat([again.flatten(2).mean(2), features.flatten(2).mean(2)])[: len(image)]
        return self.head(pooled) + self.bias


@pytest.mark.parametrize("symmetric", [False, True])
def test_all_that_computes_reads_rounded_numbers(tiny: Project, symmetric: bool) -> None:
    torch.manual_seed(0)
    module = Reads()
    rounding = rounding_of(module, tiny, symmetric=symmetric)
    rounding.epoch_started(module, 0, 1)
    assert set(rounding.ranges) == {
        *("convolution conv2d 0 0", " silu 0 0", " add_ 0 0", " add_ 0 1", " mean 0 0", " mean 1 0"),
        *(" cat 0 0", " cat 0 1", "head linear 0 0", " add 0 0"),
    }
    inputs = example(tiny)
    before, seen = module(*inputs), list[Tensor]()
    with rounding.apply(module):
        hook = module.head.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        within = module(*inputs)
        hook.remove()
    assert not torch.equal(within, before)
    assert (within - before).abs().max() < 0.05 * before.abs().max()
    assert torch.equal(module(*inputs), before), "only within"


def test_levels_are_those_of_8_bits_and_zero_is_one(tiny: Project) -> None:
    module = untrained_module(tiny, Role.STUDENT)
    values = torch.linspace(-3, 3, 4001)
    for symmetric, given in ((False, (-0.5, 2.0)), (True, (-0.5, 2.0)), (False, (0.0, 2.0))):
        rounding = rounding_of(module, tiny, symmetric=symmetric)
        rounding.ranges = {"x": given}
        rounded = rounding._round("x", values)
        ends = (-2.0, 2.0) if symmetric else given
        assert len(rounded.unique()) == 256 and (rounded == 0).any()
        step = (ends[1] - ends[0]) / 255
        assert rounded.min() == pytest.approx(ends[0], abs=step) and rounded.max() == pytest.approx(ends[1], abs=step)
        assert rounding._round("elsewhere", values) is values


def test_batch_norms_are_frozen_until_it_settles(tiny: Project) -> None:
    module = untrained_module(tiny, Role.STUDENT)
    norm = module.get_submodule("first.1")
    rounding = rounding_of(module, tiny)
    module.train()
    rounding.epoch_started(module, 0, 1)
    with rounding.apply(module):
        module(*example(tiny)).sum().backward()
    assert module.training and not norm.training and not norm.weight.requires_grad
    assert not norm.running_mean.any()
    rounding.settle(module)
    assert norm.weight.requires_grad


def test_ranges_are_observed_in_the_first_half_and_frozen_then(tiny: Project) -> None:
    module = untrained_module(tiny, Role.STUDENT)
    rounding = rounding_of(module, tiny)
    given = []
    for epoch in range(4):
        rounding.epoch_started(module, epoch, 4)
        given.append(rounding.ranges)
        with torch.no_grad():
            module.head.weight.mul_(2)
            module.get_submodule("first.0").weight.mul_(2)
    assert given[0] != given[1] == given[2] == given[3]
    assert rounding.drift(module) > 0.1
    rounding.ranges = rounding.observe(module)
    assert rounding.drift(module) == 0


def test_what_is_not_finite_stays_as_it_is(tiny: Project) -> None:
    class Masked(Reads):
        def forward(self, image: Tensor) -> Tensor:
            return super().forward(image) + image.new_tensor([0.0, -torch.inf, 0.0, 0.0])

    module = Masked()
    rounding = rounding_of(module, tiny)
    rounding.epoch_started(module, 0, 1)
    assert " add 1 0" in rounding.ranges and " add 1 1" not in rounding.ranges
    with rounding.apply(module):
        assert not module(*example(tiny)).isnan().any()


@pytest.mark.parametrize("epoch", [1, 3])
def test_an_interrupted_run_ends_in_the_same_weights(tiny: Project, tmp_path: Path, epoch: int) -> None:
    def trained(name: str, progress: StopAfter) -> dict[str, Tensor]:
        module = untrained_module(tiny, Role.STUDENT)
        rounding = rounding_of(module, tiny, grid=WeightGrid(8, "channel", stored=127))
        schedule = Schedule(epochs=4, learning_rate=0.01, weight_decay=0.0)
        split = Split(tiny, Data.TRAIN)
        fit(module, split, task_loss(tiny), schedule, tmp_path / name, progress, "training", rounding)
        return module.state_dict()

    whole = trained("whole.pt", StopAfter(99))
    with pytest.raises(Stop):
        trained("torn.pt", StopAfter(epoch))
    resumed = trained("torn.pt", StopAfter(99))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
