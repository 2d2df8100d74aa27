import pytest
import torch
from torch import Tensor, nn

from edgekit.data.split import Split
from edgekit.errors import StepError
from edgekit.project.project import Project
from edgekit.training.batches import tensor_batches, tensor_example
from edgekit.training.batchnorms import SAMPLES, fold, has_batch_norms, lag, re_estimate_if_better, reestimate
from edgekit.training.losses import task_loss
from edgekit.training.modules import untrained_module
from edgekit.training.tally import tally_at_rest
from edgekit.traits import Data, Role


def used(project: Project) -> nn.Module:
    """The student after some forward passes in training mode, with factors that are not one."""
    module = untrained_module(project, Role.STUDENT).train()
    for batch in tensor_batches(Split(project, Data.TRAIN)):
        module(*batch.inputs)
    with torch.no_grad():
        for each in module.modules():
            if isinstance(each, nn.BatchNorm2d):
                each.weight.uniform_(0.5, 2)
                each.bias.uniform_(-1, 1)
    return module.eval()


def test_folding_leaves_outputs_names_and_shapes(tiny: Project) -> None:
    module, example = used(tiny), tensor_example(Split(tiny, Data.TRAIN))
    before, names = module(*example.inputs), [*module.state_dict()]
    fold(module, example)
    assert torch.allclose(module(*example.inputs), before, rtol=1e-4, atol=1e-5)
    assert [*module.state_dict()] == names
    norm = module.get_submodule("first.1")
    assert torch.equal(norm.running_mean, torch.zeros(16)) and torch.equal(norm.running_var, torch.ones(16))


class Shared(nn.Module):
    """A convolution used twice, once without its batch norm: nothing can be folded into it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 1, 3, padding=1), nn.BatchNorm2d(1)

    def forward(self, image: Tensor) -> Tensor:
        return self.norm(self.conv(image)) + self.conv(image)


class Branching(nn.Module):
    """The convolution's output goes to its batch norm and elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4)

    def forward(self, image: Tensor) -> Tensor:
        features = self.conv(image)
        return self.norm(features) + features


def test_a_layer_used_twice_is_left_alone(tiny: Project) -> None:
    module, example = Shared().eval(), tensor_example(Split(tiny, Data.TRAIN))
    weight = module.conv.weight.detach().clone()
    fold(module, example)
    assert torch.equal(module.conv.weight, weight)


def test_an_output_that_goes_elsewhere_is_reported(tiny: Project) -> None:
    module, example = Branching(), tensor_example(Split(tiny, Data.TRAIN))
    module.norm.running_var.fill_(9.0)
    with pytest.raises(StepError, match="changes the model's outputs"):
        fold(module, example)


def test_statistics_are_the_means_over_the_data_and_momentum_stays(tiny: Project) -> None:
    module = used(tiny)
    norm = module.get_submodule("first.1")
    norm.running_mean.fill_(100.0)
    reestimate(module, Split(tiny, Data.TRAIN))
    seen = [module.first[0](*batch.inputs).mean((0, 2, 3)) for batch in tensor_batches(Split(tiny, Data.TRAIN))]
    assert torch.allclose(norm.running_mean, torch.stack(seen).mean(0), atol=1e-5)
    assert norm.momentum == 0.1 and not module.training


def test_a_module_without_batch_norms_is_left_alone(tiny: Project) -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 4))
    assert not has_batch_norms(module) and has_batch_norms(used(tiny))
    reestimate(module, Split(tiny, Data.TRAIN))


class Frozen(nn.BatchNorm2d):
    """A batch norm that stays in evaluation mode, as users freeze it."""

    def train(self, mode: bool = True) -> "Frozen":
        return super().train(False)


def test_frozen_batch_norms_and_those_that_no_batch_reaches_keep_their_statistics(tiny: Project) -> None:
    module = untrained_module(tiny, Role.STUDENT)
    module.second[1] = Frozen(16)
    module.spare = nn.BatchNorm2d(3)
    for norm in (module.second[1], module.spare):
        norm.running_mean.fill_(7.0)
        norm.num_batches_tracked.fill_(5)
    reestimate(module, Split(tiny, Data.TRAIN))
    for norm in (module.second[1], module.spare):
        assert (norm.running_mean == 7).all() and norm.num_batches_tracked == 5
    assert (module.first[1].running_mean != 0).any()


def test_statistics_are_those_of_inference_not_of_dropout(tiny: Project) -> None:
    norm = nn.BatchNorm1d(64)
    module = nn.Sequential(nn.Flatten(), nn.Dropout(0.9), norm, nn.Linear(64, 4))
    split = Split(tiny, Data.TRAIN)
    reestimate(module, split)
    seen = [batch.inputs[0].flatten(1).var(0) for batch in tensor_batches(split)]
    assert torch.allclose(norm.running_var, torch.stack(seen).mean(0), rtol=1e-4)


def test_statistics_are_mended_only_where_the_loss_falls(tiny: Project) -> None:
    split, loss = Split(tiny, Data.TRAIN), task_loss(tiny)
    module = used(tiny)
    reestimate(module, split)
    right = {name: each.clone() for name, each in module.state_dict().items()}
    result = tally_at_rest(module, split, loss, SAMPLES)
    assert re_estimate_if_better(module, split, loss, result) is result
    assert all(torch.equal(right[name], each) for name, each in module.state_dict().items())
    module.get_submodule("first.1").running_var.fill_(1e-3)
    wrong = tally_at_rest(module, split, loss, SAMPLES)
    assert wrong["loss"] > 2 * result["loss"]
    assert re_estimate_if_better(module, split, loss, wrong)["loss"] == pytest.approx(result["loss"], rel=1e-4)
    module.get_submodule("first.1").running_var.fill_(float("nan"))
    broken = tally_at_rest(module, split, loss, SAMPLES)
    assert re_estimate_if_better(module, split, loss, broken)["loss"] == pytest.approx(result["loss"], rel=1e-4)


def test_statistics_lag_where_a_model_is_worse_at_rest_than_in_training() -> None:
    assert lag(2.64, 0.15) and lag(0.2, 0.15) and lag(float("nan"), 0.15) and lag(-1.0, -1.2)
    assert not lag(0.016, 0.03) and not lag(0.16, 0.15) and not lag(-1.15, -1.2)
