import torch
from torch import nn

from edgekit.data.split import Split
from edgekit.project.project import Project
from edgekit.training.batches import tensor_example
from edgekit.training.fakequant import rounding_inputs
from edgekit.training.modules import untrained_module
from edgekit.traits import Data, Role


def test_inputs_of_layers_are_rounded_within_and_only_within(tiny: Project) -> None:
    module, calibration = untrained_module(tiny, Role.STUDENT).eval(), Split(tiny, Data.CALIBRATION)
    example = tensor_example(calibration)
    before = module(*example.inputs)
    seen: list[torch.Tensor] = []
    with rounding_inputs(module, calibration, 32):
        hook = module.head.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].detach()))
        within = module(*example.inputs)
        hook.remove()
    levels = [each.unique() for each in seen]
    assert all(len(each) <= 256 for each in levels)
    assert not torch.equal(within, before)
    assert (within - before).abs().max() < 0.05 * before.abs().max()
    assert torch.equal(module(*example.inputs), before)


def test_batch_norms_keep_their_statistics_in_training_mode(tiny: Project) -> None:
    module, calibration = untrained_module(tiny, Role.STUDENT), Split(tiny, Data.CALIBRATION)
    norm = module.get_submodule("first.1")
    with rounding_inputs(module, calibration, 32):
        module.train()
        module(*tensor_example(calibration).inputs).sum().backward()
        assert not norm.weight.requires_grad
    assert torch.equal(norm.running_mean, torch.zeros(16)) and norm.weight.requires_grad


def test_a_layer_that_never_runs_is_no_problem(tiny: Project) -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 4))
    module.spare = nn.Identity()
    module.spare.unused = nn.Linear(2, 2)
    with rounding_inputs(module, Split(tiny, Data.CALIBRATION), 8):
        assert module(torch.zeros(2, 1, 8, 8)).shape == (2, 4)
