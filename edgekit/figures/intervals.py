"""Confidence intervals of a mean over seeds and over evaluation samples."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % confidence interval, in the metric's unit; low and high are None for a single seed."""

    mean: float
    low: float | None
    high: float | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def is_below_zero(self) -> bool:
        return self.high is not None and self.high < 0

    @property
    def is_above_zero(self) -> bool:
        return self.low is not None and self.low > 0

    def within(self, lowest: float, highest: float) -> "Interval":
        """The interval clipped to the possible values of the figure."""
        if self.low is None or self.high is None:
            return self
        return Interval(self.mean, max(self.low, lowest), min(self.high, highest))

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.mean:+.2f}"
        return f"{self.mean:+.2f} ({self.low:+.2f} to {self.high:+.2f})"


def mean_of(values: Sequence[float]) -> Interval:
    """The mean over seeds with Student's t interval. Raises ValueError if there are no values."""
    if not values:
        raise ValueError("no values")
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return Interval(mean, None, None)
    variance = math.fsum((each - mean) ** 2 for each in values) / (len(values) - 1) / len(values)
    return _around(mean, variance, len(values) - 1)


def paired_difference(
    first: Sequence[float], second: Sequence[float], first_scores: Any = None, second_scores: Any = None
) -> Interval:
    """The mean of first - second, paired by seed; with scores of shape (seeds, samples), also paired by sample.

    The variance of a mean over two crossed factors is the sum of the variances of both means (Owen, The pigeonhole
    bootstrap, Annals of Applied Statistics 2007, section 2; it is conservative); the degrees of freedom are
    Satterthwaite's. Without scores, Student's t over the seeds.
    """
    seeds = mean_of([one - other for one, other in zip(first, second, strict=True)])
    if first_scores is None or second_scores is None or len(first) < 2:
        return seeds
    import numpy as np

    apart = np.asarray(first_scores, np.float64) - np.asarray(second_scores, np.float64)
    rows, columns = apart.shape
    by_seed = float(apart.mean(1).var(ddof=1)) / rows
    by_sample = float(apart.mean(0).var(ddof=1)) / columns if columns > 1 else 0.0
    variance = by_seed + by_sample
    weights = by_seed**2 / (rows - 1) + (by_sample**2 / (columns - 1) if columns > 1 else 0.0)
    return _around(seeds.mean, variance, variance**2 / weights if weights else rows - 1)


def _around(mean: float, variance: float, freedom: float) -> Interval:
    from scipy.stats import t

    half = float(t.ppf((1 + LEVEL) / 2, freedom)) * math.sqrt(variance)
    return Interval(mean, mean - half, mean + half)
