"""The one file that runs on the device: loads models, runs them, times them, and leaves what it saw.

    python worker.py FOLDER

FOLDER/job.json: {"models": [...], "inputs": "inputs.npz" or null, "threads": n, "seconds": s}. Every model gets the
same inputs, sample by sample. Leaves outputs_N.npz for each model and result.json. Needs numpy and onnxruntime only,
so that it can be pushed to any board; it imports nothing of edgekit.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

WARM_UP_RUNS = 10
WARM_UP_SECONDS = 0.3
LEAST_RUNS = 50


def main(folder: Path) -> None:
    job = json.loads((folder / "job.json").read_text())
    import numpy as np
    import onnxruntime

    result: dict[str, Any] = {"runtime": f"onnxruntime {onnxruntime.__version__}", "resident_before": peak_memory()}
    started = time.perf_counter()
    sessions = [session(onnxruntime, str(folder / name), job["threads"]) for name in job["models"]]
    result["load_ms"] = (time.perf_counter() - started) * 1e3
    with np.load(folder / job["inputs"]) as stored:
        arrays = [stored[f"arr_{i}"] for i in range(len(stored.files))]
    for number, running in enumerate(sessions):
        np.savez(folder / f"outputs_{number}.npz", *outputs(np, running, arrays))
    if job["seconds"]:
        result["latencies_ms"] = latencies(sessions, arrays, job["seconds"])
    result["peak_memory"] = peak_memory()
    (folder / "result.json").write_text(json.dumps(result))
    # Whoever measures memory from outside looks now, while the sessions are alive.
    print("done", flush=True)
    sys.stdin.readline()


def session(onnxruntime: Any, path: str, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def feed(running: Any, arrays: list[Any], start: int) -> tuple[dict[str, Any], int]:
    """The inputs from sample `start` on, as many as the model's batch axis wants (1 where it is dynamic)."""
    first = running.get_inputs()[0].shape
    size = first[0] if first and isinstance(first[0], int) else 1
    names = [each.name for each in running.get_inputs()]
    return {name: array[start : start + size] for name, array in zip(names, arrays)}, size


def outputs(np: Any, running: Any, arrays: list[Any]) -> list[Any]:
    """One array for each of the model's outputs, over all samples."""
    parts = []
    start, count = 0, len(arrays[0])
    while start < count:
        given, size = feed(running, arrays, start)
        parts.append(running.run(None, given))
        start += size
    return [np.concatenate([np.atleast_1d(part[i]) for part in parts]) for i in range(len(parts[0]))]


def latencies(sessions: list[Any], arrays: list[Any], seconds: float) -> list[list[float]]:
    """The milliseconds of every run, the models taking turns so that a drifting clock meets all alike."""
    feeds = [feed(running, arrays, 0)[0] for running in sessions]
    for running, given in zip(sessions, feeds):
        until = time.perf_counter() + WARM_UP_SECONDS
        runs = 0
        while runs < WARM_UP_RUNS or time.perf_counter() < until:
            running.run(None, given)
            runs += 1
    taken: list[list[float]] = [[] for _ in sessions]
    until = time.perf_counter() + seconds * len(sessions)
    while len(taken[0]) < LEAST_RUNS or time.perf_counter() < until:
        for running, given, times in zip(sessions, feeds, taken):
            started = time.perf_counter_ns()
            running.run(None, given)
            times.append((time.perf_counter_ns() - started) / 1e6)
    return taken


def peak_memory() -> int:
    """The largest resident memory of this process so far, in bytes; 0 where the system does not tell."""
    try:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return 0


if __name__ == "__main__":
    main(Path(sys.argv[1]))
