"""Measure model files on this machine, or where a target's instruction set is."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path

from edgekit.arrays import Arrays
from edgekit.errors import ModelError, RunError
from edgekit.measurement import Measurement, static_measurements
from edgekit.measuring.figures import latency_ratio, run_measurements
from edgekit.measuring.inputs import feeds_of
from edgekit.measuring.operators import OperatorTime, operator_times
from edgekit.model.sizes import Sizes
from edgekit.runners.choice import runner_for
from edgekit.runners.native import NativeRunner, native_outputs
from edgekit.runners.runner import Job, Result, Round, Runner
from edgekit.target import Target
from edgekit.traits import Fidelity
from edgekit.verdict.gates import NO_LATENCY, Gate, Status, budget_gates, parity_gate

_PARITY_FEEDS = 4
_ROUNDS = 10
_LEAST_RUNS = 2
_PRECISION = 0.005
_PROFILED_RUNS = 20


@dataclass(frozen=True)
class Settings:
    threads: Sequence[int] = (1,)
    batches: Sequence[int] = (1,)
    seconds: float = 2.0
    """Of timing at most, for each model and setting."""
    sizes: Sizes = field(default_factory=dict)
    inputs: Path | None = None
    """Samples in a .npz or .npy file instead of made-up ones."""
    profiled: bool = False
    """Whether to tell what each kind of operator takes, with the first setting."""


@dataclass(frozen=True)
class Benched:
    """What was measured of one file."""

    model: Path
    measurements: tuple[Measurement, ...]
    gates: tuple[Gate, ...]
    operators: tuple[OperatorTime, ...] = ()
    """Where runs were profiled."""


@dataclass(frozen=True)
class Bench:
    target: Target | None
    place: str
    """Where it ran, in words."""
    models: tuple[Benched, ...]

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        return tuple(one for each in self.models for one in each.measurements)

    @property
    def gates(self) -> tuple[Gate, ...]:
        return tuple(gate for each in self.models for gate in each.gates)

    @property
    def passed(self) -> bool:
        return all(gate.status is not Status.FAILED for gate in self.gates)


def benched(models: Sequence[Path], target: Target | None, settings: Settings) -> Bench:
    """Measure files, with every number of threads and every batch; several take turns, and each one's time is compared
    with the first one's.

    Each is loaded ten times, and timing ends sooner where the medians of at least six loads tell the median within half
    a per cent. For a target that this machine is not, outputs are compared with this machine's, memory is the guest's,
    and there is no latency. Raises ModelError for a file that is no model or does not take such a batch, DataError for
    inputs that do not fit, EmulatorError where the target has no emulator here.
    """
    for model in models:
        if model.suffix == ".tflite":
            raise ModelError(f"{model.name} is a TFLite model, and bench takes ONNX", "name the .onnx file")
    runner: Runner = runner_for(target) if target else NativeRunner()
    found = [list(static_measurements(model.name, model, settings.sizes)) for model in models]
    gates: list[list[Gate]] = [[] for _ in models]
    operators: list[tuple[OperatorTime, ...]] = [() for _ in models]
    for number, (threads, batch) in enumerate(product(settings.threads, settings.batches)):
        feeds = [feeds_of(model, batch, _feed_count(runner), settings.sizes, settings.inputs) for model in models]
        job = _job(runner, models, threads, settings, profiled=settings.profiled and not number)
        results = _results(runner, job, feeds, judged=target is not None)
        for place, (model, result) in enumerate(zip(models, results, strict=True)):
            if isinstance(result, RunError):
                measured = []
            else:
                measured = run_measurements(model.name, result, threads, batch)
                first = results[0]
                if place and result.rounds and not isinstance(first, RunError):
                    measured.append(latency_ratio(model.name, result, models[0].name, first, threads, batch))
                if result.profiles:
                    operators[place] = operator_times(result.profiles[0], result.fidelity)
            found[place] += measured
            if target is not None and not number:
                expected = native_outputs(model, feeds[place], target, threads)
                gates[place] = [
                    parity_gate(model, feeds[place], expected, result),
                    *budget_gates(target.budgets, target, found[place], result),
                ]
                if runner.fidelity is Fidelity.EMULATED and target.budgets.max_latency_ms is None:
                    gates[place].append(Gate("latency", Status.NOT_RUN, NO_LATENCY))
    return Bench(
        target,
        runner.identity(),
        tuple(Benched(*each) for each in zip(models, map(tuple, found), map(tuple, gates), operators, strict=True)),
    )


def _feed_count(runner: Runner) -> int:
    return 1 if runner.fidelity is Fidelity.NATIVE else _PARITY_FEEDS


def _job(runner: Runner, models: Sequence[Path], threads: int, settings: Settings, *, profiled: bool) -> Job:
    native = runner.fidelity is Fidelity.NATIVE
    runs = (_PROFILED_RUNS if native else 1) if profiled else 0
    seconds = settings.seconds if native else 0.0
    return Job(models, (), threads, seconds, _ROUNDS, _LEAST_RUNS, precision=_PRECISION, profiled_runs=runs)


def _results(runner: Runner, job: Job, feeds: Sequence[Arrays], *, judged: bool) -> list[Result | RunError]:
    """Of each model: outputs and memory from a process of its own, times from one in which all take turns. A model
    that cannot be run is an error where no target is `judged`."""
    several = len(job.models) > 1
    alone = replace(job, seconds=0.0) if several else job
    found: list[Result | RunError] = []
    for model, given in zip(job.models, feeds, strict=True):
        try:
            found.append(runner.run(replace(alone, models=[model], inputs=given)))
        except RunError as error:
            if not judged:
                raise
            found.append(error)
    if job.seconds and several:
        ran = {place: result for place, result in enumerate(found) if isinstance(result, Result)}
        models, inputs = [job.models[place] for place in ran], [feeds[place] for place in ran]
        rounds = runner.run(replace(job, models=models, inputs_of=inputs, profiled_runs=0)).rounds
        for number, (place, result) in enumerate(ran.items()):
            own = [Round([each.latencies_ms[number]], each.warm_up) for each in rounds]
            found[place] = replace(result, rounds=own)
    return found
