"""The conditions under which benchmarks/ptq.py compares: edgekit's target, likeness and budgets."""

from collections.abc import Sequence
from typing import Any

from edgekit.host import this_host
from edgekit.metrics.named import NAMED
from edgekit.target import Target
from edgekit.target_files import find_target, target_files

ANY = "any"
"""Instead of a metric, for random weights: the likeness of their outputs says nothing about a tool."""
_ALL = 2.0
"""A drop of cosine that every model keeps."""


def here() -> Target:
    """The target that this machine is."""
    return next(target for target in map(find_target, target_files()) if target.is_this(this_host()))


def named(metric: str) -> str:
    """The name of edgekit's metric."""
    return "cosine" if metric == ANY else metric


def allowed(metric: str) -> float:
    """The largest drop of a metric that a tool may cause."""
    return _ALL if metric == ANY else NAMED[metric].max_drop


def likenesses(metric: str, expected: Any, given: Any) -> Sequence[float]:
    """The likeness of each sample's output to the float model's."""
    score = NAMED[named(metric)].score
    assert score is not None, metric
    return [score([(one,)], [(other,)]) for one, other in zip(given, expected, strict=True)]
