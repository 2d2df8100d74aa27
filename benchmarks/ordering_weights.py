"""Figures that explain the effect of compression on weights: their ranking, their levels, their range."""

from dataclasses import asdict, dataclass

import numpy as np
from torch import nn

from edgekit.training.weight_constraints import weights_of


@dataclass(frozen=True)
class Mechanism:
    """Means over a module's weight tensors, weighted by their numbers of elements."""

    rank_correlation: float
    """Spearman's correlation between the present and the original magnitudes, by which pruning ranks. Ties share a
    rank."""
    levels: float
    """Distinct values in a tensor."""
    range: float
    """max|w| / std: the larger it is, the coarser a max-scaled quantization grid."""
    zeros: float
    """The share of weights that are zero."""
    ties: float
    """The largest share of the nonzero weights that have the same magnitude: pruning breaks these ties by position."""

    def to_json(self) -> dict[str, float]:
        return asdict(self)


def mechanism(module: nn.Module, original: nn.Module) -> Mechanism:
    """The figures of `module`, whose weights have the shapes of `original`'s."""
    from scipy.stats import spearmanr

    before, after = weights_of(original), weights_of(module)
    rows, sizes = [], []
    for name, weight in after.items():
        now = weight.detach().numpy().ravel().astype(np.float64)
        then = before[name].detach().numpy().ravel().astype(np.float64)
        _, counts = np.unique(np.abs(now[now != 0]), return_counts=True)
        spread = float(now.std())
        is_ranked = np.ptp(np.abs(now)) > 0
        correlation = float(spearmanr(np.abs(now), np.abs(then)).statistic) if is_ranked else 0.0
        rows.append(
            (
                correlation,
                len(np.unique(now)),
                np.abs(now).max() / spread if spread else 0.0,
                float((now == 0).mean()),
                counts.max(initial=0) / now.size,
            )
        )
        sizes.append(now.size)
    return Mechanism(*(float(each) for each in np.average(np.array(rows), axis=0, weights=sizes)))
