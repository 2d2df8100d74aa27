from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from edgekit.errors import StepError
from edgekit.project.project import Project
from edgekit.steps.prune import Prune, kept_channels
from edgekit.steps.step import Outcome
from edgekit.training.modules import saved_module
from tests.steps.conftest import artifact


def test_channels_keep_the_targets_multiple_and_the_module_gets_smaller(
    run_step: Callable[..., Outcome], tiny: Project
) -> None:
    done = run_step(Prune(ratio=0.5, epochs=1), tiny)
    module = saved_module(tiny, artifact(done.path))
    convolutions = [each for each in module.modules() if isinstance(each, nn.Conv2d)]
    assert {each.out_channels for each in convolutions} == {8}
    assert done.notes["parameters"] < 0.5 * done.notes["parameters_before"]
    assert done.notes["macs"] < 0.5 * done.notes["macs_before"]
    assert module(torch.zeros(2, 1, 8, 8)).shape == (2, 4), "the classes stay"


def test_a_ratio_that_takes_nothing_is_told(run_step: Callable[..., Outcome], tiny: Project) -> None:
    with pytest.raises(StepError, match=r"found nothing to take at ratio 0\.01"):
        run_step(Prune(ratio=0.01, epochs=1), tiny)


@given(st.integers(1, 512), st.floats(0.01, 0.99), st.sampled_from([1, 4, 8, 16]))
def test_what_stays_is_the_nearest_multiple(channels: int, ratio: float, multiple: int) -> None:
    kept = kept_channels(channels, ratio, multiple)
    assert 0 < kept <= channels
    assert kept % multiple == 0 or kept == channels
    if channels >= multiple * 2 and channels % multiple == 0 and kept > multiple:
        assert abs(kept - channels * (1 - ratio)) <= multiple / 2


def test_the_output_layer_is_found_by_trying(tiny: Project) -> None:
    from edgekit.data.split import Split
    from edgekit.steps.prune import _output_layers
    from edgekit.training.batches import tensor_example
    from edgekit.training.modules import untrained_module
    from edgekit.traits import Data, Role

    module = untrained_module(tiny, Role.STUDENT)
    kept = _output_layers(module, tensor_example(Split(tiny, Data.TRAIN)))
    assert kept == [module.get_submodule("head")]
