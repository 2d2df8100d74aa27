"""Ratios of times that were measured in turns."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.device.worker import interval, middle

LEAST_MACS = 100_000
"""With fewer multiply-accumulates, the time of a network is that of the runtime's calls, not of its operators."""
SESSION_DIFFERENCE = 1.01
"""The largest ratio that was observed between two sessions of the same file, whatever the interval."""


@dataclass(frozen=True)
class Ratio:
    """The median of ratios of times, with its 95 % interval."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.3f} ({self.low:.3f} to {self.high:.3f})"


def ratio_of(first: Sequence[float], second: Sequence[float]) -> Ratio:
    """The ratio of `first` to `second`, run by run. Paired runs are adjacent in time, so that clock drift affects both
    alike. For few runs the interval is their full range. Raises ValueError if there are no runs or their numbers
    differ."""
    ratios = sorted(one / other for one, other in zip(first, second, strict=True))
    if not ratios:
        raise ValueError("no runs")
    return Ratio(middle(ratios), *(interval(ratios) or (ratios[0], ratios[-1])))
