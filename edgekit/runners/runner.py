"""Runner: a place where a model file runs, and the results of a run."""

import json
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import dropwhile
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from onnx import ModelProto

from edgekit.arrays import Arrays
from edgekit.device import openers, worker
from edgekit.device.worker import STAGES
from edgekit.errors import ModelError, RunError, all_lines
from edgekit.formats import format_of
from edgekit.instruction_counts.counts import Counts
from edgekit.model.reading import ports_of
from edgekit.runners.answers import (
    WorkerReport,
    check_types,
    read_events,
    read_graph,
    read_outputs,
    read_report,
    understood,
)
from edgekit.runtime_specs import NO_KERNEL
from edgekit.target import Runtime
from edgekit.tflite.reading import read_tflite, to_file_inputs, to_onnx_outputs
from edgekit.traits import Fidelity, Format

WORKER = Path(worker.__file__)


def opener_of(runtime: Runtime) -> Path:
    """The file that loads models with a runtime, which is sent to the device with each job."""
    return Path(openers.__file__).with_name(f"{runtime.spec.opener}.py")


_ABOUT = {
    "": "while the runtime was imported",
    "imported": "while the model was loaded",
    "loaded": "while the model ran for the first time",
    "ran": "while the model ran",
}
"""A worker's activity, by the last stage that it reported."""

_OUT_OF_MEMORY = ("bad_alloc", "MemoryError", "Cannot allocate memory", "bad allocation", "Failed to allocate memory")


@dataclass(frozen=True)
class Job:
    models: Sequence[Path]
    """They are timed in turns."""
    inputs: Arrays
    """Arrays with axes (feeds, ...). Every model gets one feed at a time."""
    threads: int = 1
    seconds: float = 0.0
    """The average timing for each model; 0 times nothing."""
    rounds: int = 1
    """The models are loaded again for each round. All rounds together take `seconds`."""
    least_runs: int = 50
    """The fewest runs of each model in a round."""
    most_runs: int | None = None
    precision: float | None = None
    """Rounds end when all medians are known within this share."""
    timeout_s: float = 300.0
    """For everything except timing."""
    inputs_of: Sequence[Arrays] = ()
    """The inputs of each model, if they differ."""
    profiled_runs: int = 0
    """Profiled runs of each model, in addition to timed ones."""
    runtimes: Sequence[Runtime] = ()
    """The runtime of each model; empty for the runner's own."""
    counted: bool = False
    """Whether an emulator counts a run of each model and, if runs are profiled, each operator."""

    @property
    def limit_s(self) -> float:
        """The time limit of a worker: loading for each round may take as long as its runs."""
        return self.timeout_s + 2 * self.seconds * len(self.models)


@dataclass(frozen=True)
class Round:
    """The timing between two loadings of the models."""

    latencies_ms: Sequence[Sequence[float]]
    """The milliseconds of every run of each model, in turns."""
    warm_up: int
    """The number of warm-up runs at the start."""
    busy: float = 1.0
    """The share of the time in which the worker had a CPU."""
    cpu_ms: Sequence[Sequence[float]] = ()
    """The CPU time of every run of each model, over all threads; empty if it was not taken."""


@dataclass(frozen=True)
class Profile:
    """The runtime's record of profiled runs."""

    events: Sequence[Mapping[str, Any]]
    """In Chrome's trace format. Events of category Node are operators, with times in microseconds."""
    graph: ModelProto
    """The runtime's optimized graph."""
    counts: Sequence[Counts] = ()
    """The counts of each operator of the last run, in order; empty if they were not counted."""

    @cached_property
    def runs(self) -> list[list[Mapping[str, Any]]]:
        """The operators of each run, in order. Runs that differ from the first one because of control flow are left
        out."""
        runs: list[list[Mapping[str, Any]]] = []
        for event in sorted(self.events, key=lambda each: (each["ts"], each["name"] != "model_run")):
            if event["name"] == "model_run":
                runs.append([])
            elif runs and event["cat"] == "Node" and event["name"].endswith("_kernel_time"):
                runs[-1].append(event)
        names = [event["name"] for event in runs[0]]
        return [run for run in runs if [event["name"] for event in run] == names]


@dataclass(frozen=True)
class Result:
    outputs: Sequence[Arrays]
    """For each model, one array per output with axes (feeds, ...); all values in one row if lengths depend on the
    data."""
    memory_bytes: int | None
    """Peak resident memory of the process with interpreter, runtime and model; None if unknown."""
    resident: Mapping[str, int]
    """Resident memory in bytes after the runtime was `imported`, the models were `loaded`, and all feeds `ran`; empty
    if unknown."""
    fidelity: Fidelity
    runtime: str
    load_ms: Sequence[float] = ()
    """Loading time of each model; empty under emulation, as are the next two."""
    first_ms: Sequence[float] = ()
    """The first run of each model."""
    rounds: Sequence[Round] = ()
    machine_state: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The machine's state `before` and `after` timing, from the worker's `machine_state`."""
    profiles: Sequence[Profile] = ()
    """Of each model, if runs were profiled. Under emulation their times have no meaning."""
    emulator_bytes: int | None = None
    """Peak resident memory of the emulator without its guest, if it counts towards a container's limit."""
    shared: bool = False
    """Whether other models were timed in turns with it."""
    counts: Sequence[Counts] = ()
    """Of one run of each model; empty if none was counted."""
    uncounted: str = ""
    """Why a requested count is missing, and what to do."""

    @property
    def latencies_ms(self) -> list[list[float]]:
        """Every steady-state run of each model, paired run by run; empty if nothing was timed."""
        return self._steady([each.latencies_ms for each in self.rounds])

    @property
    def cpu_ms(self) -> list[list[float]]:
        """The CPU time of the same runs; empty if it was not taken in every round."""
        rounds = [each.cpu_ms for each in self.rounds]
        return self._steady(rounds) if all(rounds) else []

    def _steady(self, rounds: Sequence[Sequence[Sequence[float]]]) -> list[list[float]]:
        return [
            [one for each, times in zip(self.rounds, of_model, strict=True) for one in times[each.warm_up :]]
            for of_model in zip(*rounds, strict=True)
        ]


class Runner(Protocol):
    @property
    def fidelity(self) -> Fidelity: ...

    def identity(self) -> str:
        """A description of where it runs, which is part of the key of cached results."""

    def run(self, job: Job) -> Result:
        """Run a job. Raises RunError if the process crashes, hangs or runs out of memory."""


@dataclass(frozen=True)
class WorkerResult:
    """The results of a worker's process."""

    report: WorkerReport
    outputs: list[Arrays]
    sampled: dict[str, int]
    """Memory at each stage, and the `peak`, measured from outside."""
    profiles: list[Profile]

    def result(self, fidelity: Fidelity) -> Result:
        """The result of a worker that ran on the CPU itself and reports its own memory and times."""
        value = self.report
        return Result(
            outputs=self.outputs,
            memory_bytes=value.peak_memory,
            resident={stage: size for stage, size in value.resident.items() if size is not None},
            fidelity=fidelity,
            runtime=value.runtime,
            load_ms=value.load_ms,
            first_ms=value.first_ms,
            rounds=[Round(each.latencies_ms, each.warm_up, each.busy, each.cpu_ms) for each in value.rounds],
            machine_state={when: each.to_json() for when, each in value.machine_state.items()},
            profiles=self.profiles,
        )


def run_worker(
    command: Sequence[str],
    environment: Mapping[str, str],
    job: Job,
    folder: Path,
    cpu: str,
    runtimes: Sequence[Runtime],
    memory_of: Callable[[int], int] | None = None,
) -> WorkerResult:
    """Start `command FOLDER`, wait for it, and read its results.

    `memory_of` maps a process id to its memory in bytes. It is sampled while the worker runs, and at each stage while
    the worker waits. Raises RunError, which names the error, the model's runtime of `runtimes`, `cpu`, and the
    activity.
    """
    write_job(job, folder, runtimes)
    with (folder / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            [*command, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=dict(environment),
            start_new_session=True,
        )
        watch = _ProcessWatch(process, memory_of, job.limit_s)
        watch.start()
        try:
            said, sampled = _follow(process, watch)
        finally:
            process.kill()  # it has ended unless this process is being stopped
            code = process.wait()
            watch.stop()
    if said != "done":
        words = (folder / "stderr").read_text(errors="replace")
        raise run_error(None if watch.expired else code, words, said, job, cpu, runtimes)
    with understood("the worker", RunError):
        return replace(read_results(job, folder), sampled={**sampled, "peak": watch.peak})


def write_job(job: Job, folder: Path, runtimes: Sequence[Runtime]) -> None:
    """Write what a worker needs to its folder, to run each model of a job with its runtime of `runtimes`. Raises
    ModelError if a runtime does not take the model's format, or does not support what is requested."""
    formats = [format_of(model) for model in job.models]
    for given, runtime in zip(formats, runtimes, strict=True):
        if not runtime.spec.runs(given):
            raise ModelError(
                f"{runtime.name} does not run {given.label} models",
                f"give a file that ends in .{runtime.format}, or another target",
            )
        if job.profiled_runs and not runtime.spec.times_operators:
            raise ModelError(f"edgekit cannot read per-operator times from {runtime.name}", "omit --profile")
    for opener in {opener_of(each) for each in runtimes}:
        shutil.copy(opener, folder)
    names = [f"model_{number}.{given}" for number, given in enumerate(formats)]
    for name, model in zip(names, job.models, strict=True):
        (folder / name).write_bytes(model.read_bytes())
    own = bool(job.inputs_of) or Format.TFLITE in formats
    for number, model in enumerate(job.models if own else job.models[:1]):
        arrays = job.inputs_of[number] if job.inputs_of else job.inputs
        if formats[number] is Format.TFLITE:
            arrays = tuple(to_file_inputs(read_tflite(model), arrays, feeds=True))
        np.savez(folder / f"inputs_{number}.npz", *arrays)
    values = {
        "models": names,
        "runtimes": [
            {"name": each.name, "module": each.spec.module, "opener": opener_of(each).name, "floats": each.floats}
            for each in runtimes
        ],
        "inputs": [f"inputs_{number if own else 0}.npz" for number in range(len(job.models))],
        "threads": job.threads,
        "seconds": job.seconds,
        "rounds": job.rounds,
        "least_runs": job.least_runs,
        "most_runs": job.most_runs,
        "precision": job.precision,
        "profile": job.profiled_runs,
        "count": job.counted,
    }
    (folder / "job.json").write_text(json.dumps(values))


def read_results(job: Job, folder: Path) -> WorkerResult:
    """Read the results of a worker that finished. Raises NonsenseError if they are not those of the job."""
    report = read_report(folder / "result.json", len(job.models))
    outputs, profiles = [], []
    for number, model in enumerate(job.models):
        outputs.append(_read_outputs(model, folder / f"outputs_{number}.npz"))
        if job.profiled_runs:
            events = read_events(folder / f"profile_{number}.json")
            profiles.append(Profile(events, read_graph(folder / f"graph_{number}.onnx")))
    return WorkerResult(report, outputs, {}, profiles)


def _read_outputs(model: Path, path: Path) -> Arrays:
    """A model's outputs, of the types that it declares."""
    given = read_outputs(path)
    if format_of(model) is Format.TFLITE:
        file = read_tflite(model)
        check_types(path, given, [file.own_port(number) for number in file.outputs])
        return tuple(to_onnx_outputs(file, given, feeds=True))
    check_types(path, given, ports_of(model)[1])
    return tuple(given)


def run_error(code: int | None, words: str, said: str, job: Job, cpu: str, runtimes: Sequence[Runtime]) -> RunError:
    """The error of a worker that did not finish: by its exit code (None after the time limit), its standard error
    (`words`) and its last line on standard output (`said`)."""
    if code is None:
        return RunError(
            f"the model did not finish on {cpu} within {job.limit_s:.0f} s",
            "raise the limit, or check the model for an endless loop",
        )
    named = " beside ".join(dict.fromkeys(map(str, runtimes)))
    return RunError(*_fault(code, words, f"{cpu} {stage_words(said)}", named))


def stage_words(said: str) -> str:
    """A worker's activity, by its last line."""
    return _ABOUT.get(said, _ABOUT["ran"])


def _follow(process: subprocess.Popen[bytes], watch: "_ProcessWatch") -> tuple[str, dict[str, int]]:
    """The worker's last line, and its memory at each stage, at which it waits."""
    said, sampled = "", {}
    assert process.stdout is not None and process.stdin is not None
    with process.stdout, suppress(OSError), process.stdin:  # it may exit before the answer
        for line in process.stdout:
            word = line.decode(errors="replace").strip()
            if word in (*STAGES, "done"):
                said = word
            if word in STAGES:
                sampled[word] = watch.sample()
                process.stdin.write(b"\n")
                process.stdin.flush()
    return said, sampled


class _ProcessWatch(threading.Thread):
    """Samples a process's memory until it ends, and kills it at the time limit."""

    def __init__(
        self, process: subprocess.Popen[bytes], memory_of: Callable[[int], int] | None, timeout_s: float
    ) -> None:
        super().__init__(daemon=True)
        self.process = process
        self.memory_of = memory_of
        self.deadline = time.monotonic() + timeout_s
        self.peak = 0
        self.expired = False
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(0.05):
            if time.monotonic() > self.deadline:
                self.expired = True
                self.process.kill()
                return
            self.sample()

    def sample(self) -> int:
        seen = self.memory_of(self.process.pid) if self.memory_of else 0
        self.peak = max(self.peak, seen)
        return seen

    def stop(self) -> None:
        self._ended.set()
        self.join()


def _fault(code: int, words: str, where: str, runtime: str) -> tuple[str, str]:
    """What is wrong and what to do, from how a worker's process ended."""
    number = -code if code < 0 else code - 128
    number = number if number in set(signal.Signals) else 0
    if number == signal.SIGILL:
        return (
            f"{runtime} was stopped by SIGILL on {where}: it used an instruction that this CPU does not have",
            "pin another version of it in the target's [runtime]",
        )
    last, value = _last_words(words), words.rpartition("Traceback")[2]  # `last` is truncated if the line is long
    if number == signal.SIGKILL or any(mark in value for mark in _OUT_OF_MEMORY):
        return f"the model ran out of memory on {where}", "make the model smaller, or choose a target with more memory"
    if number:
        return (
            f"{runtime} was stopped by {signal.Signals(number).name} on {where}{f': {last}' if words.strip() else ''}",
            "run again with --debug; report it if it happens again",
        )
    remedy = NO_KERNEL if "NOT_IMPLEMENTED" in value else "inspect the model: edgekit inspect"
    return f"the model failed on {where}: {last}", remedy


def _last_words(text: str) -> str:
    """The end of a process's output: the exception of its last traceback with all its lines, else its last lines."""
    _, traceback, value = text.rpartition("Traceback (most recent call last):\n")
    lines = value.splitlines()
    if traceback:
        lines = list(dropwhile(lambda line: not line or line[0].isspace(), lines))
    return re.sub(r"^(\w+\.)+(?=\w+:)", "", all_lines("\n".join(lines if traceback else lines[-3:])))
