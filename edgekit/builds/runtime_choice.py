"""Choose the fastest runtime among those that keep the budgets: by measurement where runs are timed, else by
prediction, else by rule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.benchmarking.candidates import Candidate
from edgekit.benchmarking.run import Run, RunSettings, run_candidates
from edgekit.errors import EdgekitError
from edgekit.figures.measurement import Measurement
from edgekit.figures.ratios import SESSION_DIFFERENCE
from edgekit.target import Runtime

if TYPE_CHECKING:
    from edgekit.runners.runner import Runner

_SECONDS = 2.0
_NOT_MEASURED = "by rule, not measured on this device: "


@dataclass(frozen=True)
class RuntimeTrial:
    """A runtime that was tried in a build for the fastest one."""

    runtime: Runtime
    taken: bool
    why: str
    measurements: tuple[Measurement, ...] = ()
    """Its latency and the ratio to the target's own runtime; empty if it was not timed."""

    def to_json(self) -> dict[str, Any]:
        items = [each.to_json() for each in self.measurements]
        return {"runtime": str(self.runtime), "taken": self.taken, "why": self.why, "measurements": items}


def rank_by_rule(runtimes: Sequence[Runtime]) -> list[RuntimeTrial]:
    """Rank runtimes where nothing can be timed; the first is chosen."""
    order = sorted(runtimes, key=lambda each: each.spec.rank)
    return [RuntimeTrial(each, not place, _NOT_MEASURED + each.spec.rank_reason) for place, each in enumerate(order)]


def rank_by_prediction(predicted: Mapping[Runtime, Measurement]) -> list[RuntimeTrial]:
    """Rank runtimes by predicted latency. The lowest is chosen even where intervals overlap, because nothing else is
    known of the device."""
    order = sorted(predicted.items(), key=lambda each: each[1].value)
    return [
        RuntimeTrial(runtime, not place, f"predicted, not measured on this device: {entry.limits} ms", (entry,))
        for place, (runtime, entry) in enumerate(order)
    ]


def rank_by_time(files: Mapping[Runtime, Path], runner: "Runner") -> list[RuntimeTrial]:
    """Rank runtimes by time, measured in turns; `files` has the target's own runtime first. A runtime is chosen over
    the target's own only if its whole interval is faster by more than two sessions of one file differ."""
    contenders = [Candidate(str(runtime), file, file, runtime) for runtime, file in files.items()]
    run = run_candidates(runner, contenders, RunSettings(1, 1, _SECONDS, {}, None, profiled=False), judged=True)
    measured = {runtime: _latency_figures(run, place) for place, runtime in enumerate(files)}
    taken = next(iter(files))
    for runtime, entry in measured.items():
        if "latency_p50" in entry and entry["latency_p50"].value < _median(measured[taken]) and _is_faster(entry):
            taken = runtime
    order = sorted(files, key=lambda each: (each != taken, _median(measured[each])))
    return [_trial(run, list(files).index(each), each, each == taken, measured[each]) for each in order]


def _latency_figures(run: Run, place: int) -> dict[str, Measurement]:
    names = ("latency_p50", "latency_ratio")
    return {each.name: each for each in run.measurements(place) if each.name in names}


def _median(values: Mapping[str, Measurement]) -> float:
    return values["latency_p50"].value if "latency_p50" in values else float("inf")


def _is_faster(values: Mapping[str, Measurement]) -> bool:
    """Whether it is faster than the first that ran, over the whole interval."""
    ratio = values.get("latency_ratio")
    if ratio is None:  # the first that ran
        return True
    return (ratio.value if ratio.high is None else ratio.high) * SESSION_DIFFERENCE < 1


def _trial(run: Run, place: int, runtime: Runtime, taken: bool, values: Mapping[str, Measurement]) -> RuntimeTrial:
    result, ratio = run.results[place], values.get("latency_ratio")
    if isinstance(result, EdgekitError):
        return RuntimeTrial(runtime, taken, f"{result.message}; {result.hint}")
    why = "no other runtime is significantly faster" if taken else "slower"
    if ratio is not None:
        within = "" if ratio.low is None else f" ({ratio.low:.3f} to {ratio.high:.3f})"
        why = f"{ratio.value:.3f}{within} of the time of {run.contenders[run.first].name}, timed in turns"
    return RuntimeTrial(runtime, taken, why, tuple(values.values()))
