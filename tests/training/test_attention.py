import pytest
import torch
from torch import nn

from edgekit.training.attention import as_fewer_heads, has_fewer_heads


def attention(*, batch_first: bool, bias: bool = True) -> nn.MultiheadAttention:
    torch.manual_seed(0)
    return nn.MultiheadAttention(16, 4, batch_first=batch_first, bias=bias).eval()


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_with_all_its_heads_it_is_the_original(batch_first: bool, masked: bool, bias: bool) -> None:
    module = attention(batch_first=batch_first, bias=bias)
    x, other = torch.randn(3, 5, 16), torch.randn(3, 7, 16)
    mask = torch.ones(5, 7, dtype=torch.bool).triu(2) if masked else None
    padding = torch.zeros(3, 7).index_fill(1, torch.tensor([6]), -torch.inf) if masked else None
    if not batch_first:
        x, other = x.transpose(0, 1), other.transpose(0, 1)
    given = {"attn_mask": mask if mask is None else torch.zeros(5, 7).masked_fill(mask, -torch.inf)}
    given["key_padding_mask"] = padding
    expected, weights = module(x, other, other, **given)
    assert not has_fewer_heads(module)
    as_fewer_heads(module)
    found, value = module(x, other, other, attn_mask=mask, key_padding_mask=padding)
    assert torch.allclose(found, expected, atol=1e-6) and torch.allclose(value, weights, atol=1e-6)
    apart, all_told = module(x, other, other, average_attn_weights=False)
    assert all_told.shape == (3, 4, 5, 7) and apart.shape == expected.shape
    assert module(x, other, other, need_weights=False)[1] is None


def test_it_takes_samples_without_a_batch_and_masks_for_each_head() -> None:
    module = attention(batch_first=True)
    x = torch.randn(5, 16)
    whole, weights = module(x, x, x, attn_mask=torch.randn(4, 5, 5, generator=torch.Generator().manual_seed(1)))
    as_fewer_heads(module)
    mask = torch.randn(4, 5, 5, generator=torch.Generator().manual_seed(1))
    found, value = module(x, x, x, attn_mask=mask)
    assert torch.allclose(found, whole, atol=1e-6) and torch.allclose(value, weights, atol=1e-6)


def test_fewer_heads_are_seen_by_the_weights() -> None:
    module = attention(batch_first=True)
    module.in_proj_weight = nn.Parameter(module.in_proj_weight[:24])
    assert has_fewer_heads(module) and not has_fewer_heads(nn.Linear(2, 2))
