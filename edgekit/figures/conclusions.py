"""Conclusions from a measured difference: better, worse, equivalent or undecided."""

from collections.abc import Sequence
from enum import StrEnum

from edgekit.figures.intervals import LEVEL, Estimate, Interval

MARGIN = 1.0
"""The smallest difference that matters, in points of a percentage; for another unit, in percent of the mean."""


class Conclusion(StrEnum):
    BETTER = "better"
    """The whole interval is above zero."""
    WORSE = "worse"
    """The whole interval is below zero."""
    EQUIVALENT = "equivalent"
    """The interval includes zero and lies within the margin."""
    UNDECIDED = "undecided"
    """The interval includes zero and reaches beyond the margin, or there is a single seed."""


def conclusion_on(points: Interval, margin: float) -> Conclusion:
    """What an interval of a difference shows. `margin` is the smallest difference that matters, in the same unit.

    Equivalence is shown by two one-sided tests (Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 1987): the
    interval lies within the margin on both sides. That an interval includes zero shows nothing by itself.
    """
    if points.is_above_zero:
        return Conclusion.BETTER
    if points.is_below_zero:
        return Conclusion.WORSE
    if points.low is None or points.high is None:
        return Conclusion.UNDECIDED
    return Conclusion.EQUIVALENT if -margin <= points.low and points.high <= margin else Conclusion.UNDECIDED


def is_large_loss(points: Interval, margin: float) -> bool:
    """Whether the whole interval of a difference is below the margin."""
    return points.high is not None and points.high <= -margin


def family_levels(estimates: Sequence[Estimate]) -> list[float]:
    """The level of each estimate's interval if several are compared with zero at once, so that with a probability of
    95 % none of them excludes zero by chance.

    Holm's procedure (Scandinavian Journal of Statistics 1979): of m estimates, the one with the smallest p-value is
    tested at 1 - 5 % / m, the next at 1 - 5 % / (m - 1), and so on up to the first that is not significant; the others
    are tested at its level. Each interval excludes zero if and only if the procedure rejects. A single seed has no
    interval, and is not counted.
    """
    p_values = [each.p_value for each in estimates]
    order = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    levels = [LEVEL] * len(estimates)
    for rank, (p, index) in enumerate(order):
        error = (1 - LEVEL) / (len(order) - rank)
        levels[index] = 1 - error
        if p > error:
            for _, other in order[rank:]:
                levels[other] = 1 - error
            break
    return levels
