import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from edgekit.training.weight_constraints import (
    Constraint,
    WeightConstraints,
    WeightGrid,
    constraints_from_json,
    weights_of,
)

grids = st.builds(
    WeightGrid,
    st.integers(2, 8),
    st.sampled_from(["tensor", "channel", "group"]),
    st.sampled_from([2, 3, 32]),
    st.booleans(),
)
weights = st.tuples(st.integers(1, 5), st.integers(1, 7), st.integers(0, 99)).map(
    lambda each: torch.randn(each[0], each[1], 3, generator=torch.Generator().manual_seed(each[2]))
)


@given(grids, weights)
def test_rounding_stays_within_half_a_step_and_rounds_once(grid: WeightGrid, weight: torch.Tensor) -> None:
    rounded = grid.round(weight)
    step, _, _ = grid.levels(weight)
    assert rounded.shape == step.shape == weight.shape
    # The zero point is a whole number, too: it may move the range by half a step.
    assert ((rounded - weight).abs() <= step * (0.5 if grid.symmetric else 1) + 1e-6).all()
    if grid.symmetric:
        assert torch.allclose(grid.round(rounded), rounded, atol=1e-6)
    assert (rounded.sign() * weight.sign() >= 0).all()


@given(grids, weights)
def test_zero_is_a_level_of_every_grid(grid: WeightGrid, weight: torch.Tensor) -> None:
    weight[:, ::2] = 0
    assert (grid.round(weight)[:, ::2] == 0).all()


@given(st.integers(2, 6), weights, st.booleans())
def test_a_tensor_has_no_more_levels_than_its_bits_allow(bits: int, weight: torch.Tensor, symmetric: bool) -> None:
    levels = 2**bits - symmetric
    assert len(WeightGrid(bits, "tensor", symmetric=symmetric).round(weight).unique()) <= levels
    for row in WeightGrid(bits, "channel", symmetric=symmetric).round(weight):
        assert len(row.unique()) <= levels


def test_weights_of_one_sign_are_rounded_finer_without_symmetry() -> None:
    weight = torch.rand(4, 32, generator=torch.Generator().manual_seed(0)) + 0.5
    lost = {
        each: float((WeightGrid(4, "tensor", symmetric=each).round(weight) - weight).norm()) for each in (True, False)
    }
    assert lost[False] < 0.6 * lost[True]


def test_finer_scales_lose_less() -> None:
    weight = torch.randn(8, 64, generator=torch.Generator().manual_seed(0)) * torch.logspace(-2, 0, 8)[:, None]
    lost = {
        name: float((WeightGrid(4, name, 8).round(weight) - weight).norm()) for name in ("tensor", "channel", "group")
    }
    assert lost["tensor"] > lost["channel"] > lost["group"]


def test_zero_weights_stay_as_they_are() -> None:
    assert torch.equal(WeightGrid(4, "channel").round(torch.zeros(2, 3)), torch.zeros(2, 3))


@given(st.booleans(), st.none() | grids)
def test_what_is_held_survives_json(sparse: bool, grid: WeightGrid | None) -> None:
    held = WeightConstraints(sparse, grid)
    assert constraints_from_json(held.to_json()) == held


def test_zeros_and_grid_outlast_training() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2))
    with torch.no_grad():
        module[0].weight[:, ::2] = 0
    constraint = Constraint(module, WeightConstraints(sparse=True, grid=WeightGrid(4, "tensor")))
    optimizer = torch.optim.SGD(module.parameters(), 0.1)
    hidden = module[0].weight.detach().clone()
    for _ in range(5):
        optimizer.zero_grad()
        with constraint.apply(module):
            assert all(len(each.unique()) <= 15 for each in weights_of(module).values())
            module(torch.randn(4, 6)).square().sum().backward()
        optimizer.step()
    assert not torch.equal(module[0].weight, hidden), "the weights behind the grid move"
    constraint.settle(module)
    assert (module[0].weight[:, ::2] == 0).all() and (module[0].weight[:, 1::2] != 0).any()
    assert all(len(each.unique()) <= 15 for each in weights_of(module).values())


def test_weights_are_those_of_layers_alone() -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 2))
    assert list(weights_of(module)) == ["0.weight", "3.weight"]
    assert list(weights_of(nn.Linear(2, 2))) == ["weight"]


def test_eight_bits_per_channel_twice_round_once() -> None:
    """EK116: also after a batch norm's factors were folded into the channels, the levels are the same."""
    torch.manual_seed(0)
    grid = WeightGrid(8, "channel")
    once = grid.round(torch.randn(32, 16, 3, 3) * torch.rand(32, 1, 1, 1))
    folded = once * (0.5 + torch.rand(32, 1, 1, 1))
    for weight in (once, folded):
        assert torch.allclose(grid.round(weight), weight, rtol=1e-5, atol=1e-7)
    coarse = WeightGrid(4, "channel").round(torch.randn(32, 16, 3, 3))
    assert not torch.allclose(grid.round(coarse), coarse, rtol=1e-5, atol=1e-7), "EK109: 127 is no multiple of 7"
