import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from edgekit.pruning.sparsity import Ramp, kept_mask, zero_smallest
from edgekit.training.weight_constraints import WeightConstraints, weights_of


@given(st.integers(1, 200), st.floats(0, 1), st.integers(0, 99))
def test_exactly_the_share_is_taken_and_it_is_the_smallest(size: int, share: float, seed: int) -> None:
    weight = torch.randn(size, generator=torch.Generator().manual_seed(seed)).round(decimals=1)
    mask = kept_mask(weight, share)
    assert int((~mask).sum()) == round(share * size)
    if mask.any() and (~mask).any():
        assert weight[~mask].abs().max() <= weight[mask].abs().min()


def modules() -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    first, second = nn.Linear(10, 10), nn.Linear(10, 10)
    with torch.no_grad():
        second.weight.copy_(second.weight.sign() * 9)
    return nn.Sequential(first, nn.ReLU(), second), first


def test_a_layer_loses_its_share_or_the_model_as_a_whole() -> None:
    for scope, share in (("layer", 0.5), ("model", 1.0)):
        module, first = modules()
        zero_smallest(module, 0.5, scope)
        assert float((first.weight == 0).float().mean()) == share
        zeros = sum(int((each == 0).sum()) for each in weights_of(module).values())
        assert zeros == 100


def test_a_ramp_grows_as_published_and_stays_at_its_end() -> None:
    module, first = modules()
    ramp = Ramp(module, WeightConstraints(sparse=True), 0.8, "layer")
    shares = []
    for epoch in range(9):
        ramp.epoch_started(module, epoch, 9)
        shares.append(float((first.weight == 0).float().mean()))
    expected = [0.8 * (1 - (1 - min((epoch + 1) / 6, 1)) ** 3) for epoch in range(9)]
    assert all(abs(one - other) <= 0.01 for one, other in zip(shares, expected, strict=True))
    assert shares == sorted(shares) and shares[-1] == shares[5]
