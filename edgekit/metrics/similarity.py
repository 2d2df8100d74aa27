"""The similarity of two models' outputs, sample by sample; samples may have different shapes."""

from collections.abc import Iterable
from contextlib import suppress

import numpy as np

from edgekit.arrays import Array
from edgekit.errors import DataError
from edgekit.metrics.metric import DEALT
from edgekit.metrics.named import NAMED, Sampled, Score


def similarities(given: Sampled, expected: Sampled) -> dict[str, float]:
    """By each metric that applies to these outputs."""
    found = {}
    for name, metric in NAMED.items():
        if metric.score:
            with suppress(DataError):
                found[name] = metric.score(given, expected)
    return found


def chance_similarity(score: Score, given: Sampled, expected: Sampled, seed: int) -> float | None:
    """The similarity that chance can reach: the best of three values with the samples permuted, each paired with
    another whose outputs have the same shapes; None if no two have."""
    alike: dict[object, list[int]] = {}
    for number, outputs in enumerate(expected):
        alike.setdefault(tuple(each.shape for each in outputs), []).append(number)
    random = np.random.default_rng(seed)
    values = []
    for _ in range(DEALT):
        dealt = [
            (given[number], expected[other])
            for numbers in alike.values()
            if len(numbers) > 1
            for number, other in _others(random.permutation(numbers))
        ]
        if not dealt:
            return None
        values.append(score(*zip(*dealt, strict=True)))
    return max(values)


def _others(numbers: Array) -> Iterable[tuple[int, int]]:
    """Each number paired with another."""
    return zip(numbers, np.roll(numbers, 1), strict=True)
