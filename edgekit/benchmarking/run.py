"""Model files run with one number of threads and one batch, each under a runtime."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.arrays import Arrays
from edgekit.benchmarking.agreement import agreement
from edgekit.benchmarking.candidates import Candidate
from edgekit.benchmarking.figures import latency_ratio, run_measurements
from edgekit.benchmarking.inputs import feeds_of
from edgekit.benchmarking.operator_profile import OperatorTime, operator_times
from edgekit.benchmarking.predicted_latency import predict_run
from edgekit.errors import EdgekitError, ModelError, RunError
from edgekit.figures.measurement import Measurement
from edgekit.formats import ports_of
from edgekit.latency.predict import price
from edgekit.model.feeding import feeding_of
from edgekit.model.sizes import Sizes
from edgekit.runners.runner import Job, Result, Runner
from edgekit.target import Target
from edgekit.traits import Fidelity
from edgekit.wording import count_of

_FEEDS = 4
"""Compared with this machine's under emulation."""
_COMPARED = 32
"""Feeds whose outputs are compared between runtimes."""
_ROUNDS = 10
_LEAST_RUNS = 2
_PRECISION = 0.005
_PROFILED_RUNS = 20


@dataclass(frozen=True)
class RunSettings:
    threads: int
    batch: int
    seconds: float
    sizes: Sizes
    inputs: Path | None
    profiled: bool


@dataclass(frozen=True)
class Run:
    """What came of all who take turns."""

    contenders: Sequence[Candidate]
    setting: RunSettings
    feeds: Sequence[Arrays]
    results: Sequence[Result | EdgekitError]
    """RunError of what could not be run; of several runtimes, whatever kept one from running."""

    @property
    def timed(self) -> Result | None:
        """A result with times, where there are any."""
        return next((each for each in self.results if isinstance(each, Result) and each.rounds), None)

    @property
    def first(self) -> int:
        """The place of the first that ran, which the others are compared with."""
        return next((place for place, each in enumerate(self.results) if isinstance(each, Result)), 0)

    def measurements(self, place: int) -> list[Measurement]:
        """What it tells of one; of all but the first that ran, the ratio to that, too, and of one model under several
        runtimes how far their outputs lie apart."""
        result, other = self.results[place], self.results[self.first]
        if not isinstance(result, Result):
            return []
        own, against, setting = self.contenders[place], self.contenders[self.first], self.setting
        found = run_measurements(own.name, result, setting.threads, setting.batch)
        if place != self.first and isinstance(other, Result):
            if result.rounds and other.rounds:
                found.append(latency_ratio(own.name, result, against.name, other, setting.threads, setting.batch))
            if own.model == against.model and own.runtime is not None:
                pair = result.outputs[0], str(against.runtime), other.outputs[0]
                samples = "made-up samples" if setting.inputs is None else f"samples of {setting.inputs.name}"
                outcome = agreement(own.name, own.model, *pair, result.fidelity, samples)
                found += [replace(each, threads=setting.threads, batch=setting.batch) for each in outcome]
        return found

    def forecast(self, place: int, target: Target | None) -> Measurement | str | None:
        """The predicted latency of one under emulation, or why there is none and what to do; None where it is not
        emulated."""
        own, result = self.contenders[place], self.results[place]
        if target is None or not isinstance(result, Result) or result.fidelity is not Fidelity.EMULATED:
            return None
        on = target.on(own.runtime) if own.runtime else target
        return predict_run(own.name, result, on, self.setting.threads, self.setting.batch)

    def operators(self, place: int, target: Target | None) -> tuple[OperatorTime, ...]:
        """What each kind of operator takes of a model; nothing where that was not profiled."""
        result = self.results[place]
        if not isinstance(result, Result) or not result.profiles:
            return ()
        if target is None:
            return operator_times(result.profiles[0], result.fidelity)
        return operator_times(result.profiles[0], result.fidelity, lambda counts: price(counts, target, 1))


def timing_job(files: Sequence[Path], feeds: Arrays, threads: int, seconds: float) -> Job:
    """For times that an interval can be told of: ten loads, and fewer where the medians agree."""
    return Job(files, feeds, threads, seconds, _ROUNDS, _LEAST_RUNS, precision=_PRECISION)


def run_candidates(
    runner: Runner, contenders: Sequence[Candidate], setting: RunSettings, *, judged: bool, earlier: Sequence[Run] = ()
) -> Run:
    """Outputs and memory of each from a process of its own, times from one in which all take turns. Where a target is
    `judged`, a model that cannot be run is a result; else RunError is raised. Under several runtimes anything that
    keeps one from running is a result, unless it keeps all. What an `earlier` run of the same batch counted is not
    counted again."""
    timed = runner.fidelity.has_times
    by_runtime = any(each.runtime for each in contenders)
    count = _COMPARED if by_runtime else 1 if runner.fidelity is Fidelity.NATIVE else _FEEDS
    feeds = [feeds_of(each.model, setting.batch, count, setting.sizes, setting.inputs) for each in contenders]
    timing = timing_job([each.file for each in contenders], (), setting.threads, setting.seconds if timed else 0.0)
    runs = (_PROFILED_RUNS if timed else 1) if setting.profiled else 0
    in_turns = len(contenders) > 1
    alone = replace(timing, profiled_runs=runs, seconds=0.0 if in_turns else timing.seconds)
    found: list[Result | EdgekitError] = []
    for place, (each, given) in enumerate(zip(contenders, feeds, strict=True)):
        known = next((run.results[place] for run in earlier if run.setting.batch == setting.batch), None)
        own = [each.runtime] if each.runtime else ()
        try:
            _check_batch(each, setting.batch)
            job = replace(alone, models=[each.file], inputs=given, runtimes=own)
            emulated = runner.fidelity is Fidelity.EMULATED
            found.append(_with_counts(runner, job, known) if emulated else runner.run(job))
        except EdgekitError as error:
            if each.runtime is None and not (judged and isinstance(error, RunError)):
                raise
            found.append(error)
    failed = [each for each in found if isinstance(each, EdgekitError)]
    if by_runtime and len(failed) == len(found):
        raise failed[0]
    if in_turns and timing.seconds:
        _time_in_turns(runner, timing, contenders, feeds, found)
    return Run(contenders, setting, feeds, found)


def _with_counts(runner: Runner, job: Job, known: Result | EdgekitError | None) -> Result:
    """A job's result, with what a run of one thread takes: of several the emulator cannot tell who did what. That may
    be `known`."""
    one = replace(job, threads=1, counted=True)
    if job.threads == 1 and known is None:
        return runner.run(one)
    if not isinstance(known, Result):
        known = runner.run(replace(one, inputs=tuple(each[:1] for each in job.inputs)))
    result = runner.run(replace(job, profiled_runs=0))
    return replace(result, counts=known.counts, uncounted=known.uncounted, profiles=known.profiles)


def _check_batch(contender: Candidate, batch: int) -> None:
    """Raises ModelError where the form that a runtime takes has another batch than the model."""
    size = feeding_of(ports_of(contender.file)[0]).size
    if contender.file != contender.model and size not in (0, batch):
        raise ModelError(
            f"its form takes {count_of(size, 'sample')} at a time, not {batch}", "leave --batch out for this runtime"
        )


def _time_in_turns(
    runner: Runner,
    timing: Job,
    contenders: Sequence[Candidate],
    feeds: Sequence[Arrays],
    results: list[Result | EdgekitError],
) -> None:
    """Give each result the times that its model takes while all that can be run take turns."""
    ran = {place: result for place, result in enumerate(results) if isinstance(result, Result)}
    models, inputs = [timing.models[place] for place in ran], [feeds[place] for place in ran]
    runtimes = [each for place in ran if (each := contenders[place].runtime) is not None]
    together = runner.run(replace(timing, models=models, inputs_of=inputs, runtimes=runtimes))
    for number, (place, result) in enumerate(ran.items()):
        own = [replace(each, latencies_ms=[each.latencies_ms[number]]) for each in together.rounds]
        results[place] = replace(result, rounds=own, surroundings=together.surroundings, shared=True)
