"""Measure model files on this machine, or where a target's instruction set runs."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TypeVar

from edgekit.benchmarking.candidates import MissingCandidate, find_candidates
from edgekit.benchmarking.operator_profile import OperatorTime
from edgekit.benchmarking.run import Run, RunSettings, run_candidates
from edgekit.call_options import BenchOptions, listed
from edgekit.errors import EdgekitError, ModelError, ToolError
from edgekit.figures.measurement import Measurement, static_measurements
from edgekit.gates.gates import NO_LATENCY, Gate, Status, budget_gates, parity_gate, why_missing
from edgekit.instruction_counts.counts import Counts
from edgekit.model.sizes import Sizes
from edgekit.notebooks import ShownInNotebooks
from edgekit.progress import Progress
from edgekit.runners.choice import runner_for
from edgekit.runners.connection import close_on_error
from edgekit.runners.environment import disturbances, machine_line
from edgekit.runners.native import native_outputs
from edgekit.runners.runner import Result, Runner
from edgekit.scratch import temporary_folder
from edgekit.target import Target
from edgekit.traits import Fidelity
from edgekit.wording import count_of

_EACH_ALONE = "show the error of one runtime: --runtimes NAME"

Outcome = TypeVar("Outcome")


def _each_setting(options: BenchOptions) -> list[RunSettings]:
    """Every combination of thread count and batch size; operators are profiled with the first."""
    inputs = Path(options.inputs) if options.inputs is not None else None
    pairs = enumerate(product(listed(options.threads), listed(options.batch)))
    return [
        RunSettings(threads, batch, options.seconds, options.shapes, inputs, options.profile and not number)
        for number, (threads, batch) in pairs
    ]


@dataclass(frozen=True)
class CandidateBench:
    """What was measured of one file."""

    model: Path
    name: str
    measurements: tuple[Measurement, ...]
    gates: tuple[Gate, ...]
    operators: tuple[OperatorTime, ...] = ()
    """Empty unless runs were profiled."""
    runtime: str = ""
    """The runtime and how it computes, where several were requested."""
    counts: Counts | None = None
    """Of a run with the first setting, under emulation."""


@dataclass(frozen=True)
class Bench(ShownInNotebooks):
    target: Target | None
    place: str
    """A description of where it ran."""
    models: tuple[CandidateBench, ...]
    machine: str = ""
    """A description of the machine's state during the timing of the first setting."""
    disturbed: tuple[str, ...] = ()
    """Why the times are unreliable."""
    absent: tuple[MissingCandidate, ...] = ()
    """Requested runtimes without figures."""
    unpredicted: tuple[str, ...] = ()
    """Why no latency is predicted under emulation, and what to do."""

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        return tuple(one for each in self.models for one in each.measurements)

    @property
    def gates(self) -> tuple[Gate, ...]:
        return tuple(gate for each in self.models for gate in each.gates)

    @property
    def passed(self) -> bool:
        return all(gate.status is not Status.FAILED for gate in self.gates)


def bench_files(
    models: Sequence[Path],
    target: Target | None,
    options: BenchOptions,
    runner: "str | Runner" = "",
    progress: Progress | None = None,
) -> Bench:
    """Measure files with every thread count and batch size. Several files are timed in turns and compared with the
    first. Gates apply to the first setting.

    Each file is loaded ten times; timing ends earlier when the medians of at least eight loads determine the median
    within 0.5 %. `runner` is a runner, or what `runner_for` takes. Where it emulates the target, outputs are compared
    with this machine's, memory is the guest's, and there is no measured latency. Raises ModelError for an invalid model
    or batch size, DataError for inputs that do not fit, EmulatorError if the target has no emulator here, BoardError if
    a board cannot be used.
    """
    chosen = runner_for(target, runner, progress) if isinstance(runner, str) else runner
    with temporary_folder() as folder:
        here = chosen.fidelity is Fidelity.NATIVE
        contenders, absent = find_candidates(models, listed(options.runtimes), target, folder, here=here)
        if not contenders:
            raise ModelError(f"{absent[0].model} runs under none of the given runtimes: {absent[0].why}", _EACH_ALONE)
        runs: list[Run] = []
        for setting in _each_setting(options):
            runs.append(run_candidates(chosen, contenders, setting, judged=target is not None, earlier=runs))
        found = []
        for place, each in enumerate(contenders):
            result = runs[0].results[place]
            if each.runtime and isinstance(result, EdgekitError):
                absent.append(MissingCandidate(each.model.name, str(each.runtime), f"{result.message}; {result.hint}"))
            else:
                found.append(_bench_of(runs, place, target, options.shapes))
    machine = machine_line(runs[0].timed) if runs[0].timed else ""
    where = chosen.identity()
    if options.runtimes and target:
        where = where.removesuffix(f", {target.runtime}")
    forecasts = [run.forecast(place, target) for run in runs for place in range(len(contenders))]
    unpredicted = dict.fromkeys(each for each in forecasts if isinstance(each, str))
    return Bench(target, where, tuple(found), machine, tuple(_disturbances(runs)), tuple(absent), tuple(unpredicted))


def _bench_of(runs: Sequence[Run], place: int, target: Target | None, sizes: Sizes) -> CandidateBench:
    """What all runs measured of one candidate."""
    own, result = runs[0].contenders[place], runs[0].results[place]
    static = static_measurements(own.name, own.file, sizes if own.file == own.model else {})
    forecasts = [run.forecast(place, target) for run in runs]
    measured = [
        [*([items] if isinstance(items, Measurement) else []), *run.measurements(place)]
        for run, items in zip(runs, forecasts, strict=True)
    ]
    unpredicted = forecasts[0] if isinstance(forecasts[0], str) else ""
    gates = () if target is None else tuple(_gates(runs[0], place, target, [*static, *measured[0]], unpredicted))
    items = (*static, *(one for of_run in measured for one in of_run))
    runtime = result.runtime if own.runtime and isinstance(result, Result) else ""
    if runtime.startswith("onnxruntime") and own.file != own.model:
        runtime += ", fused anew"
    counts = result.counts[0] if isinstance(result, Result) and result.counts else None
    return CandidateBench(own.model, own.name, items, gates, runs[0].operators(place, target), runtime, counts)


def bench_at_runners(
    runners: Sequence[str], models: Sequence[Path], target: Target | None, options: BenchOptions, progress: Progress
) -> list[Bench | ToolError]:
    """Measure at several places: on boards concurrently, on this machine one after the other. A place that fails is
    represented by its error. Raises what `bench_files` raises for models and inputs, and RunnerError."""

    def attempt(of: Callable[[], Outcome]) -> Outcome | ToolError:
        try:
            return of()
        except ToolError as error:
            return error

    def bench_on(runner: Runner) -> Bench | ToolError:
        return attempt(lambda: bench_files(models, target, options, runner))

    with ThreadPoolExecutor(max_workers=len(runners)) as threads, close_on_error():
        tried = list(threads.map(lambda each: attempt(lambda: runner_for(target, each, progress)), runners))
        away = {
            place: threads.submit(bench_on, each)
            for place, each in enumerate(tried)
            if not isinstance(each, ToolError) and each.fidelity is Fidelity.DEVICE
        }
        found: list[Bench | ToolError] = []
        for place, each in enumerate(tried):
            if isinstance(each, ToolError):
                found.append(each)
            else:
                found.append(away[place].result() if place in away else bench_on(each))
    return found


def _gates(run: Run, place: int, target: Target, measured: Sequence[Measurement], unpredicted: str) -> Iterator[Gate]:
    own, feeds, result = run.contenders[place], run.feeds[place], run.results[place]
    on = target.on(own.runtime) if own.runtime else target
    yield parity_gate(own.file, feeds, native_outputs(own.file, feeds, on, run.setting.threads), result)
    disturbed = disturbances(run.timed, run.setting.threads) if run.timed else ()
    yield from budget_gates(target.budgets, target, measured, why_missing(result), unpredicted, disturbed)
    is_told = any(each.unit == "ms" for each in measured) or target.budgets.max_latency_ms is not None
    if not is_told and isinstance(result, Result) and result.fidelity is Fidelity.EMULATED:
        yield Gate("latency", Status.NOT_RUN, unpredicted or NO_LATENCY)


def _disturbances(runs: Sequence[Run]) -> list[str]:
    """Why the times are unreliable, with the thread count where there are several."""
    threads = [run.setting.threads for run in runs]
    found = [
        f"{count_of(count, 'thread')}: {why}" if len(set(threads)) > 1 else why
        for run, count in zip(runs, threads, strict=True)
        if run.timed
        for why in disturbances(run.timed, count)
    ]
    return list(dict.fromkeys(found))
