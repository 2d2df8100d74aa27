"""A predicted latency as a figure of a bench."""

from edgekit.errors import PredictionError
from edgekit.figures.measurement import PREDICTED, Measurement
from edgekit.instruction_counts.counts import Counts
from edgekit.latency.predict import predict_latency
from edgekit.runners.runner import Result
from edgekit.target import Target
from edgekit.traits import Fidelity


def predict_run(name: str, result: Result, target: Target, threads: int, batch: int) -> Measurement | str:
    """The predicted latency of a run under a target's emulator, or why there is none and what to do."""
    if not result.counts:
        return result.uncounted
    return predicted_measurement(name, result.counts[0], target, threads, batch)


def predicted_measurement(name: str, counts: Counts, target: Target, threads: int, batch: int) -> Measurement | str:
    """The latency predicted from a run's counters, or why there is none and what to do."""
    try:
        result = predict_latency(counts, target, threads)
    except PredictionError as error:
        return f"{error.message}; {error.hint}"
    return Measurement(
        name,
        PREDICTED,
        result.milliseconds,
        "ms",
        Fidelity.PREDICTED,
        result.how,
        result.low,
        result.high,
        threads,
        batch,
        result.confidence,
    )
