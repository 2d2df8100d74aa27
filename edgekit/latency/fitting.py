"""Fit the prices of counted events to networks with known latency, and estimate the error on held-out networks."""

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from edgekit.latency.terms import FORMULAS, MEMORY, Figures, terms_of

Weights = Mapping[str, Mapping[str, float]]
"""By formula and term, in nanoseconds."""

COVERED = 0.9
"""The coverage of an interval on networks outside the fit."""
FEWEST = 9
"""The fewest errors for an interval: with fewer, even the largest error does not reach the coverage."""


@dataclass(frozen=True)
class Point:
    """A network with a known latency on a board."""

    network: str
    family: str
    """Networks of one family are left out together."""
    figures: Figures
    milliseconds: float


Way = Callable[[Sequence[Point]], Weights]
"""Derives prices from networks."""


def fit_prices(points: Sequence[Point], slot_ns: float) -> Weights:
    """The prices with the smallest squared relative errors (Lawson and Hanson, Solving Least Squares Problems, 1974,
    chapter 23). No instruction is priced below its issue slot, and no memory line below zero."""
    import numpy as np
    from scipy.optimize import nnls

    found = {}
    for formula, terms in FORMULAS.items():
        items = [terms_of(each.figures, formula) for each in points]
        shares = np.array(
            [[row[term] / each.milliseconds for term in terms] for row, each in zip(items, points, strict=True)]
        )
        least = np.array([0.0 if term == MEMORY else slot_ns / 1e6 for term in terms])
        scale = np.maximum(np.linalg.norm(shares, axis=0), 1e-300)
        above, _ = nnls(shares / scale, np.ones(len(points)) - shares @ least)
        prices = (least + above / scale) * 1e6
        found[formula] = {term: float(price) for term, price in zip(terms, prices, strict=True)}
    return found


def scale_prices(points: Sequence[Point], weights: Weights) -> Weights:
    """Known prices times the factor that makes the mean error zero; unchanged if there are no networks."""
    times = math.exp(statistics.fmean(error_of(weights, each) for each in points)) if points else 1.0
    return {formula: {term: price / times for term, price in prices.items()} for formula, prices in weights.items()}


def choose_way(points: Sequence[Point], ways: Sequence[Way]) -> Weights:
    """The prices of the way with the smallest mean error on held-out networks."""

    def error(way: Way) -> float:
        return statistics.fmean(map(abs, held_out_errors(points, way).values()))

    return (min(ways, key=error) if len(ways) > 1 else ways[0])(points)


def estimates(weights: Weights, figures: Figures) -> list[float]:
    """Each formula's estimate of a run in milliseconds."""
    return [
        sum(prices[term] * count for term, count in terms_of(figures, formula).items()) / 1e6
        for formula, prices in weights.items()
    ]


def estimate(weights: Weights, figures: Figures) -> float:
    """The geometric mean of the formulas' estimates, in milliseconds."""
    return math.prod(estimates(weights, figures)) ** (1 / len(weights))


def error_of(weights: Weights, point: Point) -> float:
    """The logarithm of estimated to true latency."""
    return math.log(estimate(weights, point.figures) / point.milliseconds)


def folds(points: Sequence[Point]) -> Iterator[tuple[list[Point], list[Point]]]:
    """For each family, its networks and all others."""
    for family in dict.fromkeys(each.family for each in points):
        yield [each for each in points if each.family == family], [each for each in points if each.family != family]


def held_out_errors(points: Sequence[Point], way: Way) -> dict[str, float]:
    """For each network, the logarithm of estimated to true latency, with prices fitted without its family."""
    found: dict[str, float] = {}
    for own, others in folds(points):
        weights = way(others)
        found |= {each.network: error_of(weights, each) for each in own}
    return {each.network: found[each.network] for each in points}


def margin(errors: Sequence[float]) -> float:
    """The half-width of a logarithmic interval that covers COVERED of future networks.

    Method: split conformal prediction on absolute residuals (Vovk, Gammerman and Shafer, Algorithmic Learning in a
    Random World, 2005; Lei et al., Distribution-Free Predictive Inference for Regression, JASA 113, 2018, section 2).
    Infinite for fewer than FEWEST errors, of which none is large enough.
    """
    rank = math.ceil((len(errors) + 1) * COVERED)
    return sorted(map(abs, errors))[rank - 1] if rank <= len(errors) else math.inf
