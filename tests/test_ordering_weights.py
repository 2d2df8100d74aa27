"""benchmarks/ordering_weights.py: what compression does to weights."""

import copy
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from edgekit.training.weight_constraints import WeightGrid

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

from ordering_weights import mechanism


@pytest.fixture
def original() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(40, 50), nn.ReLU(), nn.Linear(50, 10))


def changed(original: nn.Module, change: object) -> nn.Module:
    module = copy.deepcopy(original)
    with torch.no_grad():
        for each in module.modules():
            if isinstance(each, nn.Linear):
                each.weight.copy_(change(each.weight))  # type: ignore[operator]
    return module


def test_an_untouched_module_keeps_its_ranking(original: nn.Module) -> None:
    result = mechanism(original, original)
    assert result.rank_correlation == pytest.approx(1) and result.zeros == 0
    assert result.levels == pytest.approx((2000 * 2000 + 500 * 500) / 2500, rel=0.01), "no two weights alike"


def test_four_bits_a_tensor_leave_few_levels_and_many_ties(original: nn.Module) -> None:
    result = mechanism(changed(original, WeightGrid(4, "tensor").round), original)
    assert result.levels <= 15 and result.ties > 0.1
    eight = mechanism(changed(original, WeightGrid(8, "tensor").round), original)
    assert result.rank_correlation < eight.rank_correlation < 1


def test_pruning_leaves_the_range_as_it_was_but_for_the_spread(original: nn.Module) -> None:
    pruned = changed(original, lambda weight: weight * (weight.abs() > weight.abs().median()))
    result = mechanism(pruned, original)
    assert result.zeros == pytest.approx(0.5, abs=0.01)
    largest = [each.weight.abs().max().item() for each in (original[0], pruned[0])]
    assert largest[0] == largest[1]


def test_a_tensor_without_any_ranking_correlates_with_nothing(original: nn.Module) -> None:
    assert mechanism(changed(original, torch.zeros_like), original).rank_correlation == 0
