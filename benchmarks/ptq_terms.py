"""On what terms benchmarks/ptq.py compares: edgekit's own target, likeness and budgets."""

from collections.abc import Sequence
from typing import Any

from edgekit.host import this_host
from edgekit.metrics.named import NAMED
from edgekit.target import Target, find_target, target_files

ANY = "any"
"""In the place of a metric: of random weights, whose likeness to the float model says nothing of a tool."""
_ALL = 2.0
"""Of cosine."""


def here() -> Target:
    """The target that this machine is."""
    return next(target for target in map(find_target, target_files()) if target.is_this(this_host()))


def named(metric: str) -> str:
    """A metric that edgekit has."""
    return "cosine" if metric == ANY else metric


def allowed(metric: str) -> float:
    """What a tool may lose of it."""
    return _ALL if metric == ANY else NAMED[metric].max_drop


def likenesses(metric: str, expected: Any, given: Any) -> Sequence[float]:
    """Of each sample's output to the float model's."""
    score = NAMED[named(metric)].score
    assert score is not None, metric
    return [score([(one,)], [(other,)]) for one, other in zip(given, expected, strict=True)]
