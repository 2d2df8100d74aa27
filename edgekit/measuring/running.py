"""Model files run with one number of threads and one batch."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.arrays import Arrays
from edgekit.errors import RunError
from edgekit.measurement import Measurement
from edgekit.measuring.figures import latency_ratio, run_measurements
from edgekit.measuring.inputs import feeds_of
from edgekit.measuring.operators import OperatorTime, operator_times
from edgekit.model.sizes import Sizes
from edgekit.runners.runner import Job, Result, Runner
from edgekit.traits import Fidelity

_FEEDS = 4
"""Compared with this machine's under emulation."""
_ROUNDS = 10
_LEAST_RUNS = 2
_PRECISION = 0.005
_PROFILED_RUNS = 20


@dataclass(frozen=True)
class Setting:
    threads: int
    batch: int
    seconds: float
    sizes: Sizes
    inputs: Path | None
    profiled: bool


@dataclass(frozen=True)
class Run:
    """What came of all models."""

    models: Sequence[Path]
    setting: Setting
    feeds: Sequence[Arrays]
    results: Sequence[Result | RunError]

    @property
    def timed(self) -> Result | None:
        """A result with times, where there are any."""
        return next((each for each in self.results if isinstance(each, Result) and each.rounds), None)

    def measurements(self, place: int) -> list[Measurement]:
        """What it tells of a model; of all but the first, the ratio to that, too."""
        result, other = self.results[place], self.results[0]
        if isinstance(result, RunError):
            return []
        names, threads, batch = names_of(self.models), self.setting.threads, self.setting.batch
        found = run_measurements(names[place], result, threads, batch)
        if place and result.rounds and isinstance(other, Result):
            found.append(latency_ratio(names[place], result, names[0], other, threads, batch))
        return found

    def operators(self, place: int) -> tuple[OperatorTime, ...]:
        """What each kind of operator takes of a model; nothing where that was not profiled."""
        result = self.results[place]
        if isinstance(result, RunError) or not result.profiles:
            return ()
        return operator_times(result.profiles[0], result.fidelity)


def names_of(models: Sequence[Path]) -> list[str]:
    """What files are called: by their names, or, where two have the same, by their paths."""
    names = [model.name for model in models]
    return names if len(set(names)) == len(names) else [str(model) for model in models]


def run_of(runner: Runner, models: Sequence[Path], setting: Setting, *, judged: bool) -> Run:
    """Outputs and memory of each model from a process of its own, times from one in which all take turns. Where a
    target is `judged`, a model that cannot be run is a result; else RunError is raised."""
    timed = runner.fidelity.has_times
    count = 1 if runner.fidelity is Fidelity.NATIVE else _FEEDS
    feeds = [feeds_of(model, setting.batch, count, setting.sizes, setting.inputs) for model in models]
    timing = Job(
        models,
        (),
        setting.threads,
        setting.seconds if timed else 0.0,
        _ROUNDS,
        _LEAST_RUNS,
        precision=_PRECISION,
    )
    runs = (_PROFILED_RUNS if timed else 1) if setting.profiled else 0
    several = len(models) > 1
    alone = replace(timing, profiled_runs=runs, seconds=0.0 if several else timing.seconds)
    found: list[Result | RunError] = []
    for model, given in zip(models, feeds, strict=True):
        try:
            found.append(runner.run(replace(alone, models=[model], inputs=given)))
        except RunError as error:
            if not judged:
                raise
            found.append(error)
    if several and timing.seconds:
        _time_in_turns(runner, timing, feeds, found)
    return Run(models, setting, feeds, found)


def _time_in_turns(runner: Runner, timing: Job, feeds: Sequence[Arrays], results: list[Result | RunError]) -> None:
    """Give each result the times that its model takes while all that can be run take turns."""
    ran = {place: result for place, result in enumerate(results) if isinstance(result, Result)}
    models, inputs = [timing.models[place] for place in ran], [feeds[place] for place in ran]
    together = runner.run(replace(timing, models=models, inputs_of=inputs))
    for number, (place, result) in enumerate(ran.items()):
        own = [replace(each, latencies_ms=[each.latencies_ms[number]]) for each in together.rounds]
        results[place] = replace(result, rounds=own, surroundings=together.surroundings, shared=True)
