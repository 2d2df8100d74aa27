"""Constraints that an earlier step imposed on a module's weights, and that every later training keeps: zeros, and few
levels."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from edgekit.contract.technique import Granularity

_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear, nn.ConvTranspose1d, nn.ConvTranspose2d)


@dataclass(frozen=True)
class WeightGrid:
    """Quantization levels for each scale: 2^bits - 1 symmetric ones up to the largest magnitude or, if not symmetric,
    2^bits from the smallest to the largest weight. Zero is always a level, so that pruned weights stay zero."""

    bits: int
    granularity: Granularity
    group_size: int = 32
    """Adjacent weights of an output channel that share a scale with granularity `group`."""
    symmetric: bool = True
    stored: int | None = None
    """The largest integer that symmetric levels will be stored as. Each level is moved to the nearest integer, so that
    storing changes nothing. None for evenly spaced levels."""

    def round(self, weight: Tensor) -> Tensor:
        """The nearest levels, in the weight's shape (output channels first; Jacob et al., arXiv 1712.05877, section
        2.1; symmetric: with zero point 0)."""
        scale, lowest, highest = self.levels(weight)
        level = (weight / scale).round().clamp(lowest, highest)
        if self.stored is not None:
            level = (level * self.stored / highest).round() * highest / self.stored
        return torch.where(scale > 0, level * scale, weight)

    def levels(self, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Each weight's scale, and the integers of its lowest and highest level, in the weight's shape."""
        if self.symmetric:
            top = torch.full_like(weight, min(2 ** (self.bits - 1) - 1, self.stored or 2**self.bits))
            return self._largest(weight.abs()) / top, -top, top
        below, above = self._largest(-weight).clamp(min=0), self._largest(weight).clamp(min=0)
        scale = (below + above) / (2**self.bits - 1)
        lowest = torch.where(scale > 0, -(below / scale).round(), 0)
        return scale, lowest, lowest + 2**self.bits - 1

    def _largest(self, weight: Tensor) -> Tensor:
        """The largest of the values that share each weight's scale, in the weight's shape."""
        if self.granularity == "tensor":
            return weight.max().expand_as(weight)
        rows = weight.flatten(1)
        if self.granularity == "channel":
            return rows.max(1, keepdim=True).values.expand_as(rows).reshape(weight.shape)
        short = -rows.shape[1] % self.group_size
        groups = nn.functional.pad(rows, (0, short), value=-torch.inf).reshape(len(rows), -1, self.group_size)
        largest: Tensor = groups.max(2, keepdim=True).values.expand_as(groups).flatten(1)
        return largest[:, : rows.shape[1]].reshape(weight.shape)


@dataclass(frozen=True)
class WeightConstraints:
    """The constraints on a module's weights, stored with them and read by the next step."""

    sparse: bool = False
    """Whether weights that are zero stay zero."""
    grid: WeightGrid | None = None

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def constraints_from_json(values: Mapping[str, object]) -> WeightConstraints:
    """The inverse of `WeightConstraints.to_json`."""
    grid = values.get("grid")
    return WeightConstraints(bool(values.get("sparse")), WeightGrid(**grid) if isinstance(grid, dict) else None)


def weights_of(module: nn.Module) -> dict[str, Tensor]:
    """The weights of convolutions and linear layers by name, output channels first, without biases and batch norms."""
    return {
        f"{name}.weight" if name else "weight": each.weight
        for name, each in module.named_modules()
        if isinstance(each, _LAYERS)
    }


class Constraint:
    """Keeps a module's zeros and levels during training.

    The optimizer updates float weights. Each forward and backward pass uses the rounded ones with a straight-through
    gradient (Bengio et al., arXiv 1308.3432, section 4). Masked weights stay exactly zero.
    """

    def __init__(self, module: nn.Module, held: WeightConstraints) -> None:
        self.grid = held.grid
        self.masks = {name: each.detach() != 0 for name, each in weights_of(module).items()} if held.sparse else {}

    def epoch_started(self, module: nn.Module, epoch: int, epochs: int) -> None:
        """Called before each epoch, counted from 0."""

    def state(self) -> dict[str, Any]:
        """What a resumed training needs besides the weights, as plain values."""
        return {}

    def resume(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state`."""

    @contextmanager
    def apply(self, module: nn.Module) -> Iterator[None]:
        """Within the context, the module's weights are those that would be deployed."""
        hidden = {}
        with torch.no_grad():
            for name, weight in weights_of(module).items():
                if name in self.masks:
                    self.masks[name] = self.masks[name].to(weight.device)
                    weight.mul_(self.masks[name])
                if self.grid is not None:
                    hidden[name] = weight.detach().clone()
                    weight.copy_(self.grid.round(weight))
        yield
        with torch.no_grad():
            for name, weight in weights_of(module).items():
                if name in hidden:
                    weight.copy_(hidden[name])

    def settle(self, module: nn.Module) -> None:
        """Replace the weights permanently by those that are deployed."""
        with torch.no_grad():
            for name, weight in weights_of(module).items():
                if name in self.masks:
                    weight.mul_(self.masks[name].to(weight.device))
                if self.grid is not None:
                    weight.copy_(self.grid.round(weight))
