"""A predicted latency as a figure of a bench."""

from edgekit.errors import PredictionError
from edgekit.figures.measurement import PREDICTED, Measurement
from edgekit.instruction_counts.counts import Counts
from edgekit.latency.predict import predicted
from edgekit.runners.runner import Result
from edgekit.target import Target
from edgekit.traits import Fidelity


def forecast_of(name: str, result: Result, target: Target, threads: int, batch: int) -> Measurement | str:
    """The predicted latency of what ran under a target's emulator; or why there is none and what to do."""
    if not result.counts:
        return result.uncounted
    return predicted_figure(name, result.counts[0], target, threads, batch)


def predicted_figure(name: str, counts: Counts, target: Target, threads: int, batch: int) -> Measurement | str:
    """From what a run took under the target's emulator; or why there is none and what to do."""
    try:
        told = predicted(counts, target, threads)
    except PredictionError as error:
        return f"{error.message}; {error.hint}"
    return Measurement(
        name,
        PREDICTED,
        told.milliseconds,
        "ms",
        Fidelity.PREDICTED,
        told.how,
        told.low,
        told.high,
        threads,
        batch,
        told.confidence,
    )
