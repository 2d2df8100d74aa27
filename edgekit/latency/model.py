"""The prices that come with edgekit, for each board and thread count, with their errors."""

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import msgspec

from edgekit.latency.fitting import Point, Way, Weights, held_out_errors, margin
from edgekit.latency.terms import MEMORY, products_in
from edgekit.records import Record
from edgekit.target import CacheLevel, Target

FEWEST_FAMILIES = 4
"""The fewest families for an error estimate, since networks of one family have similar errors."""
SHIPPED = Path(__file__).with_name("latency.json")


class BoardFit(Record, frozen=True, kw_only=True):
    """Prices fitted to a board's published latencies with one thread count."""

    board: str
    cpu: str
    """The core's name in targets."""
    clock_hz: int
    caches: tuple[CacheLevel, ...]
    threads: int
    runtime: str
    """The runtime that was measured."""
    weights: dict[str, dict[str, float]]
    """By formula and term, in nanoseconds at this clock."""
    errors: dict[str, float]
    """For each network, held out with its family: the logarithm of predicted to published latency."""
    margin: float | None
    """The half-width of the logarithmic interval with 90 % coverage; None if there are too few networks."""
    shortest_ms: float
    longest_ms: float
    """The longest latency in the fit."""
    products: tuple[str, ...]
    """The kinds of products that its networks contain."""
    underestimate: float = 0.0
    """The largest logarithm of published to predicted latency of another runtime's networks on such boards; 0 if none
    is known, or none took longer than predicted."""


class LatencyModel(Record, frozen=True, kw_only=True):
    source: str
    """What it was fitted on."""
    transfer: float
    """The largest logarithmic error when predicting kernels of a kind that was not in the fit."""
    fits: tuple[BoardFit, ...]

    def fit_for(self, target: Target, threads: int) -> BoardFit | None:
        """The fit for the target's core and caches and this thread count; None if there is none. Of several, the one
        for the target's runtime, else for another version of it, else with the most similar clock."""
        alike = [
            each
            for each in self.fits
            if each.threads == threads and each.cpu == target.cpu.split(",")[0] and each.caches == target.caches
        ]
        clock, runtime = target.clock_hz or 0, str(target.runtime)

        def strangeness(fit: BoardFit) -> tuple[bool, bool, int]:
            return fit.runtime != runtime, name_of(fit.runtime) != name_of(runtime), abs(fit.clock_hz - clock)

        return min(alike, key=strangeness, default=None)


def largest_error(fit: BoardFit) -> float:
    """The margin or, with too few networks for one, the largest error. A single network gives no error."""
    if fit.margin is not None:
        return fit.margin
    return max(map(abs, fit.errors.values())) if len(fit.errors) > 1 else 0.0


def name_of(runtime: str) -> str:
    """The name of a runtime without its version."""
    return runtime.split()[0]


def board_fit(target: Target, board: str, threads: int, runtime: str, points: Sequence[Point], way: Way) -> BoardFit:
    """Fit prices to networks measured on a board of a target, all with the same thread count and runtime."""
    errors, latencies = held_out_errors(points, way), [each.milliseconds for each in points]
    reach = margin(list(errors.values()))
    return BoardFit(
        board=board,
        cpu=target.cpu.split(",")[0],
        clock_hz=target.clock_hz or 0,
        caches=target.caches,
        threads=threads,
        runtime=runtime,
        weights={formula: dict(prices) for formula, prices in way(points).items()},
        errors=errors,
        margin=None if math.isinf(reach) or len({each.family for each in points}) < FEWEST_FAMILIES else reach,
        shortest_ms=min(latencies),
        longest_ms=max(latencies),
        products=tuple(sorted({kind for each in points for kind in products_in(each.figures)})),
    )


@cache
def shipped_model() -> LatencyModel:
    """The model written by benchmarks/latency_model.py."""
    return msgspec.json.decode(SHIPPED.read_bytes(), type=LatencyModel)


def at_clock(fit: BoardFit, clock_hz: int | None) -> Weights:
    """The prices for a core with another clock and the same memory."""
    slower = fit.clock_hz / (clock_hz or fit.clock_hz)
    return {
        formula: {term: price if term == MEMORY else price * slower for term, price in prices.items()}
        for formula, prices in fit.weights.items()
    }
