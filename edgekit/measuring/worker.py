"""The one file that runs on the device: loads models, runs them, times them, and leaves what it saw.

    python worker.py FOLDER

FOLDER/job.json: {"models": [...], "inputs": "inputs.npz", "threads": n, "seconds": s, "least_runs": n, "most_runs": n
or null, "warm_up_s": s}. Every model gets the same feeds: the first axis of each input array counts them. Leaves
outputs_N.npz for each model, with arrays of the same kind, and result.json. Needs numpy and onnxruntime only, so that
it can be pushed to any board; it imports nothing of edgekit.
"""

import json
import os
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

WARM_UP_RUNS = 10


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
        runs = [running.run(None, feed(running, arrays, k)) for k in range(len(arrays[0]))]
        np.savez(folder / f"outputs_{number}.npz", *[stacked(np, parts) for parts in zip(*runs)])
    if job["seconds"]:
        result["latencies_ms"] = latencies(sessions, arrays, job)
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


def feed(running: Any, arrays: list[Any], number: int) -> dict[str, Any]:
    """One feed, by the names of the model's inputs."""
    return {each.name: array[number, ...] for each, array in zip(running.get_inputs(), arrays)}


def stacked(np: Any, parts: Sequence[Any]) -> Any:
    """An output of all feeds as one array: (feeds, ...), or, where their shapes differ, all values in one row."""
    arrays = [as_array(np, part) for part in parts]
    if all(each.shape == arrays[0].shape for each in arrays):
        return np.stack(arrays)
    return np.concatenate([each.ravel() for each in arrays])


def as_array(np: Any, value: Any) -> Any:
    """What the runtime gives for one output: a tensor, of strings too, or a list of tensors or of maps (by key)."""
    if isinstance(value, dict):
        return np.asarray([value[key] for key in sorted(value)])
    if isinstance(value, list):
        parts = [as_array(np, each).ravel() for each in value]
        return np.concatenate(parts) if parts else np.zeros(0)
    array = np.asarray(value if value is not None else [])
    return array.astype(str) if array.dtype == object else array


def latencies(sessions: list[Any], arrays: list[Any], job: dict[str, Any]) -> list[list[float]]:
    """The milliseconds of every run, the models taking turns so that a drifting clock meets all alike, in another order
    each time, so that none runs always behind the same one."""
    feeds = [feed(running, arrays, 0) for running in sessions]
    for running, given in zip(sessions, feeds):
        until = time.perf_counter() + job["warm_up_s"]
        runs = 0
        while runs < WARM_UP_RUNS or time.perf_counter() < until:
            running.run(None, given)
            runs += 1
    taken: list[list[float]] = [[] for _ in sessions]
    most = job["most_runs"] or float("inf")
    turns, order = list(zip(sessions, feeds, taken)), random.Random(0)
    until = time.perf_counter() + job["seconds"] * len(sessions)
    while len(taken[0]) < job["least_runs"] or (time.perf_counter() < until and len(taken[0]) < most):
        order.shuffle(turns)
        for running, given, times in turns:
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
