"""PyTorch's multi-head attention with fewer heads than its width would allow."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, linear


class FewerHeads(nn.MultiheadAttention):
    """nn.MultiheadAttention after heads were removed: `num_heads` of `head_dim` each, projected from and to
    `embed_dim`.

    The original requires embed_dim = num_heads * head_dim, and its encoder layers access its weights directly unless
    `_qkv_same_embed_dim` is false.
    """

    def forward(  # the original's signature
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """As in the original: the output (batch, tokens, width, or as `batch_first` says), and the attention weights
        (batch, tokens, tokens) if they are requested."""
        batched = query.dim() == 3
        given = [query, key, value]
        if not batched:
            given = [each.unsqueeze(0) for each in given]
        elif not self.batch_first:
            given = [each.transpose(0, 1) for each in given]
        q, k, v = (self._heads_of(each, part) for part, each in enumerate(given))
        scores = q @ k.transpose(2, 3) * self.head_dim**-0.5
        if attn_mask is not None:
            added = _additive_mask(attn_mask, scores)
            scores = scores + (added.unflatten(0, (len(scores), -1)) if added.dim() == 3 else added)
        if key_padding_mask is not None:
            added = _additive_mask(key_padding_mask, scores)
            scores = scores + (added[:, None, None] if batched else added)
        weights = dropout(scores.softmax(3), self.dropout, self.training)
        mixed = self.out_proj((weights @ v).transpose(1, 2).flatten(2))
        result = (weights.mean(1) if average_attn_weights else weights) if need_weights else None
        if not batched:
            return mixed.squeeze(0), None if result is None else result.squeeze(0)
        return mixed if self.batch_first else mixed.transpose(0, 1), result

    def _heads_of(self, given: Tensor, part: int) -> Tensor:
        """Project (batch, length, embed_dim) to queries, keys or values: (batch, heads, length, head_dim)."""
        width = self.num_heads * self.head_dim
        rows = slice(part * width, (part + 1) * width)
        bias = None if self.in_proj_bias is None else self.in_proj_bias[rows]
        projected: Tensor = linear(given, self.in_proj_weight[rows], bias)
        return projected.reshape(*given.shape[:2], self.num_heads, self.head_dim).transpose(1, 2)


def has_fewer_heads(module: nn.Module) -> bool:
    """Whether heads were removed from PyTorch's own attention."""
    weight = getattr(module, "in_proj_weight", None)
    return isinstance(module, nn.MultiheadAttention) and weight is not None and len(weight) != 3 * module.embed_dim


def as_fewer_heads(module: nn.MultiheadAttention) -> None:
    """Let the module, whose weights have fewer heads, compute with them."""
    module.__class__ = FewerHeads
    module._qkv_same_embed_dim = False


def _additive_mask(mask: Tensor, scores: Tensor) -> Any:
    """A mask to be added to the scores: minus infinity where a boolean mask is true."""
    if mask.dtype != torch.bool:
        return mask
    return torch.zeros(mask.shape, dtype=scores.dtype, device=scores.device).masked_fill(mask, -torch.inf)
