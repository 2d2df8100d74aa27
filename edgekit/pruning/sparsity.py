"""Set weights to zero: the smallest of each layer or of the whole module, at once or gradually over epochs."""

from typing import Literal

import torch
from torch import Tensor, nn

from edgekit.training.weight_constraints import Constraint, WeightConstraints, weights_of

Scope = Literal["layer", "model"]


def zero_smallest(module: nn.Module, sparsity: float, scope: Scope) -> None:
    """Set the `sparsity` share of weights with the smallest magnitude to zero, in place; ties are broken by
    position."""
    weights = weights_of(module)
    with torch.no_grad():
        if scope == "layer":
            for each in weights.values():
                each.mul_(kept_mask(each, sparsity))
            return
        joined = torch.cat([each.flatten() for each in weights.values()])
        masks = torch.split(kept_mask(joined, sparsity), [each.numel() for each in weights.values()])
        for each, mask in zip(weights.values(), masks, strict=True):
            each.mul_(mask.reshape(each.shape))


def kept_mask(weight: Tensor, sparsity: float) -> Tensor:
    """A mask of the weight's shape: False for exactly round(sparsity * size) of the smallest magnitudes."""
    order = weight.detach().abs().flatten().argsort(stable=True)
    mask = torch.ones(weight.numel(), dtype=torch.bool, device=weight.device)
    mask[order[: round(sparsity * weight.numel())]] = False
    return mask.reshape(weight.shape)


class Ramp(Constraint):
    """Increases the number of zeros epoch by epoch."""

    def __init__(self, module: nn.Module, held: WeightConstraints, sparsity: float, scope: Scope) -> None:
        super().__init__(module, held)
        self.sparsity = sparsity
        self.scope: Scope = scope

    def epoch_started(self, module: nn.Module, epoch: int, epochs: int) -> None:
        done = min((epoch + 1) / max(round(epochs * 2 / 3), 1), 1.0)
        zero_smallest(module, self.sparsity * (1 - (1 - done) ** 3), self.scope)
        self.masks = {name: each.detach() != 0 for name, each in weights_of(module).items()}
