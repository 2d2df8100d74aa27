"""By how much one thing takes longer than another, timed in turns."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.device.worker import interval, middle

LEAST_MACS = 100_000
"""A network of fewer multiply-accumulates takes the time of the runtime's calls, not of its operators."""
SESSION_DIFFERENCE = 1.01
"""By so much two sessions of the same file were seen to differ, whatever the interval."""


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
    met both alike. Of few, the interval is all that was seen. Raises ValueError for no runs, or for other numbers of
    them."""
    ratios = sorted(one / other for one, other in zip(first, second, strict=True))
    if not ratios:
        raise ValueError("no runs")
    return Ratio(middle(ratios), *(interval(ratios) or (ratios[0], ratios[-1])))
