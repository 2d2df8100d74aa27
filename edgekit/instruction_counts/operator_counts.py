"""Which of the counted intervals are a model's run, and which an operator's."""

from collections.abc import Sequence

from edgekit.device.worker import COUNTED
from edgekit.instruction_counts.counts import CountInterval, Counts, total_of

_LOOKS_BEFORE = 4
"""At the clock, from the mark to the first operator: for the run, the executor and the operator itself."""
_LOOKS_AFTER = (5, 6)
"""Intervals from the last operator to the next mark."""


def marked_runs(intervals: Sequence[CountInterval], mark: int) -> list[list[CountInterval]]:
    """The intervals of each counted run. Of every model the worker marks what lies between it and the one before it,
    its warm-up, and the run that counts; nothing lies before the first."""
    between: list[list[CountInterval]] = []
    since: list[CountInterval] = []
    for each in intervals:
        since.append(each)
        if each.ended_by == mark:
            between.append(since)
            since = []
    return between[COUNTED - 1 :: COUNTED + 1]


def counts_of_run(intervals: Sequence[CountInterval]) -> Counts:
    """Of a whole run."""
    return total_of([each.counts for each in intervals])


def counts_of_operators(intervals: Sequence[CountInterval], operators: int) -> list[Counts]:
    """Of each of so many operators that ran one after the other, ONNX Runtime having looked at the clock right before
    and right after each. Nothing where it did not do so as version 1.32 does. To write down what it sees costs it some
    25,000 instructions of each.
    """
    after = len(intervals) - _LOOKS_BEFORE - 2 * operators
    if after not in _LOOKS_AFTER:
        return []
    of_operators = intervals[_LOOKS_BEFORE : len(intervals) - after : 2]
    return [each.counts for each in of_operators]
