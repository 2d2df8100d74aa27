"""By how much one thing takes longer than another, timed in turns."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

LEAST_MACS = 100_000
"""A network of fewer multiply-accumulates takes the time of the runtime's calls, not of its operators."""
SESSIONS = 1.01
"""By so much two sessions of the same file were seen to differ, whatever the interval."""

_Z = 1.96
"""Of 95 % confidence."""


@dataclass(frozen=True)
class Ratio:
    """The median of ratios of times, and where it lies with 95 % confidence."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.3f} ({self.low:.3f} to {self.high:.3f})"


def ratio_of(first: Sequence[float], second: Sequence[float]) -> Ratio:
    """How long `first` took for each of `second`, run by run: those lie side by side in time, so that a drifting clock
    met both alike. Raises ValueError for no runs, or for other numbers of them.

    The interval is that of order statistics (David and Nagaraja, Order Statistics, 3rd edition, section 7.1), which
    asks nothing of how times are distributed.
    """
    ratios = sorted(one / other for one, other in zip(first, second, strict=True))
    if not ratios:
        raise ValueError("no runs")
    count = len(ratios)
    reach = _Z * math.sqrt(count) / 2
    low, high = max(0, math.floor(count / 2 - reach)), min(count - 1, math.ceil(count / 2 + reach))
    middle = (ratios[(count - 1) // 2] + ratios[count // 2]) / 2
    return Ratio(middle, ratios[low], ratios[high])
