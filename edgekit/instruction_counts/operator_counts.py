"""Assign counted intervals to a model's run and to its operators."""

from collections.abc import Sequence

from edgekit.device.worker import COUNTED
from edgekit.instruction_counts.counts import CountInterval, Counts, total_of

_LOOKS_BEFORE = 4
"""Reads of the clock from the mark to the first operator: for the run, the executor and the operator itself."""
_LOOKS_AFTER = (5, 6)
"""Intervals from the last operator to the next mark."""


def marked_runs(intervals: Sequence[CountInterval], mark: int) -> list[list[CountInterval]]:
    """The intervals of each counted run. For every model the worker sets marks after what precedes it, after its
    warm-up, and after the counted run."""
    between: list[list[CountInterval]] = []
    since: list[CountInterval] = []
    for each in intervals:
        since.append(each)
        if each.ended_by == mark:
            between.append(since)
            since = []
    return between[COUNTED - 1 :: COUNTED + 1]


def counts_of_run(intervals: Sequence[CountInterval]) -> Counts:
    """The counts of a whole run."""
    return total_of([each.counts for each in intervals])


def counts_of_operators(intervals: Sequence[CountInterval], operators: int) -> list[Counts]:
    """The counts of each of `operators` consecutive operators, delimited by ONNX Runtime's reads of the clock. Empty if
    the pattern is not that of version 1.32. Recording a profile costs about 25,000 instructions per operator, which are
    included."""
    after = len(intervals) - _LOOKS_BEFORE - 2 * operators
    if after not in _LOOKS_AFTER:
        return []
    of_operators = intervals[_LOOKS_BEFORE : len(intervals) - after : 2]
    return [each.counts for each in of_operators]
