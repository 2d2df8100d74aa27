"""Runner: a place where a model file runs, and what comes back from it."""

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

from edgekit.arrays import Arrays
from edgekit.device import openers, worker
from edgekit.device.worker import STAGES
from edgekit.errors import ModelError, RunError, all_lines
from edgekit.formats import format_of
from edgekit.instruction_counts.counts import Counts
from edgekit.target import Runtime
from edgekit.tflite.reading import read_tflite, to_file_inputs, to_onnx_outputs
from edgekit.traits import Fidelity, Format

WORKER = Path(worker.__file__)


def opener_of(runtime: Runtime) -> Path:
    """The file that loads models with a runtime, which goes to the device with each job."""
    return Path(openers.__file__).with_name(f"{runtime.spec.opener}.py")


_ABOUT = {
    "": "while the runtime was imported",
    "imported": "while the model was loaded",
    "loaded": "while the model ran for the first time",
    "ran": "while the model ran",
}
"""What a worker is about, by the last stage that it told."""

_OUT_OF_MEMORY = ("bad_alloc", "MemoryError", "Cannot allocate memory", "bad allocation", "Failed to allocate memory")


@dataclass(frozen=True)
class Job:
    models: Sequence[Path]
    """Timed in turns."""
    inputs: Arrays
    """(feeds, ...): every model gets one feed at a time."""
    threads: int = 1
    seconds: float = 0.0
    """Of timing for each model, on the average; 0 times nothing."""
    rounds: int = 1
    """The models are loaded anew for each; all together they take `seconds`."""
    least_runs: int = 50
    """Of each model in a round, whatever they take."""
    most_runs: int | None = None
    precision: float | None = None
    """Rounds end where all medians are known within this share."""
    timeout_s: float = 300.0
    """For everything but the timing."""
    inputs_of: Sequence[Arrays] = ()
    """Of each model, where they do not take the same `inputs`."""
    profiled_runs: int = 0
    """Of each model, operator by operator, beside those that are timed."""
    runtimes: Sequence[Runtime] = ()
    """Of each model; empty: what the runner has for it."""
    counted: bool = False
    """Whether an emulator that can is to count a run of each model, and, where runs are profiled, of each operator."""

    @property
    def limit_s(self) -> float:
        """After so long a worker hangs: the rounds' loads may take as long as their runs."""
        return self.timeout_s + 2 * self.seconds * len(self.models)


@dataclass(frozen=True)
class Round:
    """What was timed from one loading of the models to the next."""

    latencies_ms: Sequence[Sequence[float]]
    """Every run of each model, in turns."""
    warm_up: int
    """How many of the first runs are not of the steady state."""
    busy: float = 1.0
    """For which share of the time the worker had a CPU."""


@dataclass(frozen=True)
class Profile:
    """What the runtime wrote down of profiled runs."""

    events: Sequence[Mapping[str, Any]]
    """In Chrome's trace format; those of category Node are operators, their times in microseconds."""
    graph: bytes
    """The graph that it made of the model, as ONNX."""
    counts: Sequence[Counts] = ()
    """Of each operator of the last run, in the order in which they ran; empty where they were not counted."""

    @cached_property
    def runs(self) -> list[list[Mapping[str, Any]]]:
        """The operators of each run, in the order in which they ran. Control flow may make runs differ: those that are
        not like the first one are left out."""
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
    """For each model one array for each output, (feeds, ...); where lengths hang on the data, all values in a row."""
    memory_bytes: int | None
    """Peak resident memory of the process that ran: interpreter, runtime and model. None where it cannot be told."""
    resident: Mapping[str, int]
    """Resident memory in bytes when the runtime was `imported`, the models `loaded`, and all feeds had `ran`; empty
    where it cannot be told."""
    fidelity: Fidelity
    runtime: str
    load_ms: Sequence[float] = ()
    """Of each model; empty under emulation, whose wall time is no latency, as are the next two."""
    first_ms: Sequence[float] = ()
    """The first run of each model."""
    rounds: Sequence[Round] = ()
    surroundings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What else decided the times, `before` and `after` them, as the worker's `machine_state` has it."""
    profiles: Sequence[Profile] = ()
    """Of each model, where runs were profiled; under emulation their times are none."""
    emulator_bytes: int | None = None
    """Peak resident memory of the emulator beside its guest's, where it counts as well: in a container's limit."""
    shared: bool = False
    """Whether other models took turns with it."""
    counts: Sequence[Counts] = ()
    """Of a run of each model; empty where none was counted."""
    uncounted: str = ""
    """Why nothing was counted that was to be, and what to do."""

    @property
    def latencies_ms(self) -> list[list[float]]:
        """Every run of each model in the steady state, run by run side by side; empty where nothing was timed."""
        models = zip(*(each.latencies_ms for each in self.rounds), strict=True)
        return [
            [one for each, times in zip(self.rounds, of_model, strict=True) for one in times[each.warm_up :]]
            for of_model in models
        ]


class Runner(Protocol):
    @property
    def fidelity(self) -> Fidelity: ...

    def identity(self) -> str:
        """What it runs on, in words: part of the key under which results are kept."""

    def run(self, job: Job) -> Result:
        """Run a job. Raises RunError when the process crashes, hangs or runs out of memory."""


@dataclass(frozen=True)
class WorkerResult:
    """What a worker's process left."""

    report: dict[str, Any]
    outputs: list[Arrays]
    sampled: dict[str, int]
    """Memory at each stage, and the `peak`, as seen from outside."""
    profiles: list[Profile]

    def result(self, fidelity: Fidelity) -> Result:
        """Of a worker that ran on the CPU itself, which tells its own memory and times."""
        value = self.report
        return Result(
            outputs=self.outputs,
            memory_bytes=value["peak_memory"],
            resident={stage: size for stage, size in value["resident"].items() if size is not None},
            fidelity=fidelity,
            runtime=value["runtime"],
            load_ms=value["load_ms"],
            first_ms=value["first_ms"],
            rounds=[Round(**each) for each in value.get("rounds", ())],
            surroundings=value.get("surroundings", {}),
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
    """Start `command FOLDER`, wait for it, and read what it left.

    `memory_of` maps a process id to its memory in bytes; it is sampled while the worker runs, and at each stage while
    it waits. Raises RunError naming the fault, each model's one of `runtimes` and `cpu`, and what it was about.
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
            process.kill()  # it has ended, unless this process is being stopped
            code = process.wait()
            watch.stop()
    if said != "done":
        words = (folder / "stderr").read_text(errors="replace")
        raise run_error(None if watch.expired else code, words, said, job, cpu, runtimes)
    return replace(read_results(job, folder), sampled={**sampled, "peak": watch.peak})


def write_job(job: Job, folder: Path, runtimes: Sequence[Runtime]) -> None:
    """Leave what a worker needs in its folder to run each model of a job with its one of `runtimes`. Raises ModelError
    where that does not take the model's format, or cannot do what is asked."""
    formats = [format_of(model) for model in job.models]
    for given, runtime in zip(formats, runtimes, strict=True):
        if given is not runtime.format:
            raise ModelError(
                f"{runtime.name} runs no {given.label} models",
                f"name a file that ends in .{runtime.format}, or another target",
            )
        if job.profiled_runs and not runtime.spec.times_operators:
            raise ModelError(f"edgekit has no times of single operators from {runtime.name}", "leave --profile out")
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
        "runtimes": [{"name": each.name, "opener": opener_of(each).name, "floats": each.floats} for each in runtimes],
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
    """What a worker that came to its end left in its folder."""
    outputs, profiles = [], []
    for number, model in enumerate(job.models):
        with np.load(folder / f"outputs_{number}.npz") as stored:
            given = [stored[f"arr_{i}"] for i in range(len(stored.files))]
        if format_of(model) is Format.TFLITE:
            given = to_onnx_outputs(read_tflite(model), given, feeds=True)
        outputs.append(tuple(given))
        if job.profiled_runs:
            events = json.loads((folder / f"profile_{number}.json").read_text())
            profiles.append(Profile(events, (folder / f"graph_{number}.onnx").read_bytes()))
    return WorkerResult(json.loads((folder / "result.json").read_text()), outputs, {}, profiles)


def run_error(code: int | None, words: str, said: str, job: Job, cpu: str, runtimes: Sequence[Runtime]) -> RunError:
    """Why a worker came to no end: by its exit code, None where its time was over, by its `words` on standard error,
    and by what it `said` last on standard output."""
    if code is None:
        return RunError(
            f"the model did not finish on {cpu} within {job.limit_s:.0f} s", "raise the limit, or look for a loop"
        )
    named = " beside ".join(dict.fromkeys(map(str, runtimes)))
    return RunError(*_fault(code, words, f"{cpu} {stage_words(said)}", named))


def stage_words(said: str) -> str:
    """What a worker is about, by what it said last."""
    return _ABOUT.get(said, _ABOUT["ran"])


def _follow(process: subprocess.Popen[bytes], watch: "_ProcessWatch") -> tuple[str, dict[str, int]]:
    """The last that a worker told when its output ends, and its memory at each stage, where it waits for that."""
    said, sampled = "", {}
    assert process.stdout is not None and process.stdin is not None
    with process.stdout, suppress(OSError), process.stdin:  # it may die while it is answered
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
    """Samples a process's memory until it ends, and kills it when its time is over."""

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
            f"{runtime} died of SIGILL on {where}: it used an instruction that this CPU does not have",
            "pin another version of it in the target's [runtime]",
        )
    last, value = _last_words(words), words.rpartition("Traceback")[2]  # `last` is cut where a line is long
    if number == signal.SIGKILL or any(mark in value for mark in _OUT_OF_MEMORY):
        return f"the model ran out of memory on {where}", "make the model smaller, or choose a target with more memory"
    if number:
        return (
            f"{runtime} died of {signal.Signals(number).name} on {where}{f': {last}' if words.strip() else ''}",
            "run again with --debug; report it if it repeats",
        )
    return f"the model failed on {where}: {last}", "look at the model with: edgekit inspect"


def _last_words(text: str) -> str:
    """What a process said of its end: the exception of its last traceback with all its lines, else its last lines."""
    _, traceback, value = text.rpartition("Traceback (most recent call last):\n")
    lines = value.splitlines()
    if traceback:
        lines = list(dropwhile(lambda line: not line or line[0].isspace(), lines))
    return re.sub(r"^(\w+\.)+(?=\w+:)", "", all_lines("\n".join(lines if traceback else lines[-3:])))
