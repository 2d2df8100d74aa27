"""The prices that come with edgekit: of each board and number of threads, with how far they were off."""

from functools import cache
from pathlib import Path

import msgspec

from edgekit.prediction.fitting import Weights
from edgekit.prediction.terms import MEMORY
from edgekit.project.toml import Record
from edgekit.target import Cache, Target

SHIPPED = Path(__file__).with_name("latency.json")


class BoardFit(Record, frozen=True, kw_only=True):
    """What was fitted on a board's published latencies with one number of threads."""

    board: str
    cpu: str
    """As a target calls it."""
    clock_hz: int
    caches: tuple[Cache, ...]
    threads: int
    runtime: str
    """Whose latencies they are."""
    weights: dict[str, dict[str, float]]
    """By formula and term, in nanoseconds at this clock."""
    errors: dict[str, float]
    """Of each network, held out with its family: the logarithm of prediction to publication."""
    margin: float
    """Of the logarithm: how far an interval reaches that holds nine of ten."""
    shortest_ms: float
    longest_ms: float
    """Of the latencies that it was fitted on."""


class LatencyModel(Record, frozen=True, kw_only=True):
    source: str
    """What it was made from, and by what."""
    transfer: float
    """Of the logarithm: the largest error where kernels of a kind were predicted of which none was fitted on."""
    fits: tuple[BoardFit, ...]

    def fit_for(self, target: Target, threads: int) -> BoardFit | None:
        """The one of a board with the target's core and caches, of several the one whose clock is nearest; None where
        there is none with so many threads."""
        alike = [
            each
            for each in self.fits
            if each.threads == threads and each.cpu == target.cpu.split(",")[0] and each.caches == target.caches
        ]
        clock = target.clock_hz or 0
        return min(alike, key=lambda each: abs(each.clock_hz - clock), default=None)


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
