"""A model of any runtime in a separate process that runs on request.

The environments of benchmarks/ptq.py share this module: it needs numpy only. A runtime's script calls `script`; the
benchmark starts it as `Served` and lets several run in turns.
"""

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Feed = dict[str, Any]
"""One sample by input name, with a batch axis of 1."""

_WARM_UP_S = 0.5
_RUNS = 3
"""Consecutive runs, of which the fastest counts: in the first, the caches hold another model's weights."""


def feeds_of(path: Path) -> list[Feed]:
    """The samples of an .npz file, one by one."""
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    count = len(next(iter(arrays.values())))
    return [{name: each[row : row + 1] for name, each in arrays.items()} for row in range(count)]


def script(make: Callable[[str, Path, str, Path], None], runner: Callable[[str], Callable[[Feed], Any]]) -> None:
    """The command line of a runtime's script: `serve MODEL FEEDS.npz`, or `WHAT FOLDER METRIC OUT`, where the folder
    has the name of the model and holds float.onnx and calibration.npz."""
    what, *rest = sys.argv[1:]
    if what == "serve":
        serve(runner(rest[0]), Path(rest[1]))
    else:
        make(what, Path(rest[0]), rest[1], Path(rest[2]))


def serve(run: Callable[[Feed], Any], feeds: Path) -> None:
    """Answer each line of standard input with one line: the milliseconds of a few runs of the first sample, or the file
    with the outputs of all samples."""
    samples = feeds_of(feeds)
    until = time.perf_counter() + _WARM_UP_S
    while time.perf_counter() < until:
        run(samples[0])
    answer = sys.stdout
    print("ready", file=answer, flush=True)
    for line in sys.stdin:
        what, _, where = line.strip().partition(" ")
        if what == "time":
            taken = []
            for _ in range(_RUNS):
                started = time.perf_counter_ns()
                run(samples[0])
                taken.append((time.perf_counter_ns() - started) / 1e6)
            print(json.dumps(min(taken)), file=answer, flush=True)
        else:
            np.save(where, np.concatenate([np.asarray(run(each)) for each in samples]))
            print(json.dumps(where), file=answer, flush=True)


@dataclass
class Served:
    """A process that serves a model."""

    process: "subprocess.Popen[str]"

    @staticmethod
    def of(command: Sequence[str], log: Path, environment: Mapping[str, str]) -> "Served":
        """Start a process. Raises RuntimeError if it does not start."""
        with log.open("w") as errors:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, env=dict(environment)
            )
        served = Served(process)
        if served._line() != "ready":
            raise RuntimeError(log.read_text().strip().rpartition("\n")[2] or "it ended")
        return served

    def milliseconds(self) -> float:
        return float(json.loads(self._answer("time")))

    def outputs(self, path: Path) -> Any:
        """The first output for every sample."""
        self._answer(f"outputs {path}")
        return np.load(path)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()

    def _answer(self, text: str) -> str:
        assert self.process.stdin is not None
        print(text, file=self.process.stdin, flush=True)
        return self._line()

    def _line(self) -> str:
        """The next line that is an answer: some runtimes also print to standard output."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(("ready", '"', *"0123456789")):
                return line.strip()
        return "null"


def in_turns(served: Mapping[str, Served], seconds: float, least: int) -> dict[str, list[float]]:
    """The milliseconds of every model, in a different order in each round."""
    order, shuffle = list(served), random.Random(0)
    taken: dict[str, list[float]] = {name: [] for name in served}
    until = time.perf_counter() + seconds
    while len(taken[order[0]]) < least or time.perf_counter() < until:
        shuffle.shuffle(order)
        for name in order:
            taken[name].append(served[name].milliseconds())
    return taken
