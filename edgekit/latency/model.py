"""The prices that come with edgekit: of each board and number of threads, with how far they were off."""

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
"""Of which errors tell of another: networks of one family err alike."""
SHIPPED = Path(__file__).with_name("latency.json")


class BoardFit(Record, frozen=True, kw_only=True):
    """What was fitted on a board's published latencies with one number of threads."""

    board: str
    cpu: str
    """As a target calls it."""
    clock_hz: int
    caches: tuple[CacheLevel, ...]
    threads: int
    runtime: str
    """Whose latencies they are."""
    weights: dict[str, dict[str, float]]
    """By formula and term, in nanoseconds at this clock."""
    errors: dict[str, float]
    """Of each network, held out with its family: the logarithm of prediction to publication."""
    margin: float | None
    """Of the logarithm: how far an interval reaches that holds nine of ten; None where too few networks tell."""
    shortest_ms: float
    longest_ms: float
    """Of the latencies that it was fitted on."""
    products: tuple[str, ...]
    """The kinds of products that its networks were made of."""


class LatencyModel(Record, frozen=True, kw_only=True):
    source: str
    """What it was made from, and by what."""
    transfer: float
    """Of the logarithm: the largest error where kernels of a kind were predicted of which none was fitted on."""
    fits: tuple[BoardFit, ...]

    def fit_for(self, target: Target, threads: int) -> BoardFit | None:
        """The one of a board with the target's core and caches, of several the one of its runtime, or else of another
        version, or whose clock is nearest; None where there is none with so many threads."""
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
    """The margin, or, where networks are too few for one, the largest error; a single one tells none."""
    if fit.margin is not None:
        return fit.margin
    return max(map(abs, fit.errors.values())) if len(fit.errors) > 1 else 0.0


def name_of(runtime: str) -> str:
    """Of a runtime with its version."""
    return runtime.split()[0]


def board_fit(target: Target, board: str, threads: int, runtime: str, points: Sequence[Point], way: Way) -> BoardFit:
    """Of networks that were measured on a board, which a target describes; their latencies are all with so many
    threads, of one runtime."""
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
    """The one that benchmarks/latency_model.py wrote."""
    return msgspec.json.decode(SHIPPED.read_bytes(), type=LatencyModel)


def at_clock(fit: BoardFit, clock_hz: int | None) -> Weights:
    """Its prices for a core of another clock, beside the same memory."""
    slower = fit.clock_hz / (clock_hz or fit.clock_hz)
    return {
        formula: {term: price if term == MEMORY else price * slower for term, price in prices.items()}
        for formula, prices in fit.weights.items()
    }
