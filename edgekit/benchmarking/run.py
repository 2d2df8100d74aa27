"""Run model files with one thread count and batch size, each under a runtime."""

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

_FEEDS = 4
"""Feeds whose outputs are compared with this machine's under emulation."""
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
    """The results of all candidates."""

    contenders: Sequence[Candidate]
    setting: RunSettings
    feeds: Sequence[Arrays]
    results: Sequence[Result | EdgekitError]
    """RunError for a candidate that could not be run; with several runtimes, any error that kept one from running."""

    @property
    def timed(self) -> Result | None:
        """A result with times, if there is one."""
        return next((each for each in self.results if isinstance(each, Result) and each.rounds), None)

    @property
    def first(self) -> int:
        """The index of the first candidate that ran, with which the others are compared."""
        return next((place for place, each in enumerate(self.results) if isinstance(each, Result)), 0)

    def measurements(self, place: int) -> list[Measurement]:
        """The measurements of one candidate; except for the first that ran, with the ratio to that one and, for one
        model under several runtimes, the agreement of their outputs."""
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
        """The predicted latency of one candidate under emulation, or why there is none and what to do; None if it is
        not emulated."""
        own, result = self.contenders[place], self.results[place]
        if target is None or not isinstance(result, Result) or result.fidelity is not Fidelity.EMULATED:
            return None
        on = target.on(own.runtime) if own.runtime else target
        return predict_run(own.name, result, on, self.setting.threads, self.setting.batch)

    def operators(self, place: int, target: Target | None) -> tuple[OperatorTime, ...]:
        """The time of each operator type of a model; empty unless it was profiled."""
        result = self.results[place]
        if not isinstance(result, Result) or not result.profiles:
            return ()
        if target is None:
            return operator_times(result.profiles[0], result.fidelity)
        return operator_times(result.profiles[0], result.fidelity, lambda counts: price(counts, target, 1))


def timing_job(files: Sequence[Path], feeds: Arrays, threads: int, seconds: float) -> Job:
    """A job whose times have an interval: ten loads, fewer if the medians agree. The arrays are feeds with a leading
    axis: (feeds, *input shape)."""
    return Job(files, feeds, threads, seconds, _ROUNDS, _LEAST_RUNS, precision=_PRECISION)


def run_candidates(
    runner: Runner, contenders: Sequence[Candidate], setting: RunSettings, *, judged: bool, earlier: Sequence[Run] = ()
) -> Run:
    """Run each candidate in a process of its own for outputs and memory, and all in one process, in turns, for times.

    Where a target is `judged`, the error of a model that cannot be run is its result; otherwise RunError is raised.
    With several runtimes any error is a result unless all fail. Counts of an `earlier` run with the same batch are
    reused.
    """
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
    """A job's result with the counts of a run with one thread, since the emulator cannot attribute counts to threads.
    `known` is reused if it has counts."""
    one = replace(job, threads=1, counted=True)
    if job.threads == 1 and known is None:
        return runner.run(one)
    if not isinstance(known, Result):
        known = runner.run(replace(one, inputs=tuple(each[:1] for each in job.inputs)))
    result = runner.run(replace(job, profiled_runs=0))
    return replace(result, counts=known.counts, uncounted=known.uncounted, profiles=known.profiles)


def _check_batch(contender: Candidate, batch: int) -> None:
    """Raises ModelError if the form that a runtime takes has another batch size than the model."""
    size = feeding_of(ports_of(contender.file)[0]).size
    if contender.file != contender.model and size not in (0, batch):
        raise ModelError(
            f"its model file has the fixed batch size {size}, not {batch}", "omit --batch for this runtime"
        )


def _time_in_turns(
    runner: Runner,
    timing: Job,
    contenders: Sequence[Candidate],
    feeds: Sequence[Arrays],
    results: list[Result | EdgekitError],
) -> None:
    """Time all models that can be run in turns, and set the times of each result."""
    ran = {place: result for place, result in enumerate(results) if isinstance(result, Result)}
    models, inputs = [timing.models[place] for place in ran], [feeds[place] for place in ran]
    runtimes = [each for place in ran if (each := contenders[place].runtime) is not None]
    together = runner.run(replace(timing, models=models, inputs_of=inputs, runtimes=runtimes))
    for number, (place, result) in enumerate(ran.items()):
        own = [
            replace(each, latencies_ms=[each.latencies_ms[number]], cpu_ms=each.cpu_ms[number : number + 1])
            for each in together.rounds
        ]
        results[place] = replace(result, rounds=own, machine_state=together.machine_state, shared=True)
