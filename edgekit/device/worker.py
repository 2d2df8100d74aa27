"""The program that runs on the device: loads models, runs them, times them, and leaves what it saw.

    python worker.py FOLDER

FOLDER/job.json: {"models": [...], "runtimes": [{"name": name, "module": name, "opener": file, "floats": type}, ...],
"inputs": [...], "threads": n, "seconds": s, "rounds": n, "least_runs": n, "most_runs": n or null, "precision": share or
null, "profile": n, "count": bool}. Each model has a runtime and inputs of its own; those are .npz files, in which the
first axis of each array counts the feeds. An opener is a file of FOLDER that loads the models of a runtime.
Leaves outputs_N.npz for each model, with arrays of the same kind, and result.json; where runs are to be profiled,
profile_N.json as the runtime writes it and graph_N.onnx, what it makes of the model. At each of STAGES it prints a line
and waits for one, so that its memory can be looked at from outside. Needs numpy and the runtimes only, so that it can
be pushed to any board; it imports nothing of edgekit.
"""

import contextlib
import functools
import importlib
import json
import math
import os
import random
import runpy
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

STAGES = ("imported", "loaded", "ran")
"""The stages at which the runtime, then the models, then their working memory are allocated."""
PR_SET_PDEATHSIG = 1
"""The option of Linux's prctl for the signal at the end of the parent."""
FEWEST = 6
"""The fewest values for which the median has a 95 % interval: with fewer, even the full range covers less."""
TURN = 5, 1_000_000
"""With several runtimes, the fewest consecutive runs of a model and the least nanoseconds that they take. The first
runs after another runtime find caches filled and threads still spinning, so only the last runs of a turn are kept: all
but one of the fewest."""
COUNTED = 2
"""Runs between marks; the last one is counted."""
ENOUGH = 8
"""The fewest rounds. Stopping as soon as the estimate looks precise stops too early at times; eight rounds allow for
that."""


def end_with_parent() -> None:
    """Let the kernel end this process when the process that started it ends, however that ends. Linux only."""
    with contextlib.suppress(ImportError, OSError, AttributeError):  # another system, or Python without ctypes
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main(folder: Path) -> None:
    job = json.loads((folder / "job.json").read_text())
    import numpy as np

    openers = {each["opener"]: runpy.run_path(str(folder / each["opener"])) for each in job["runtimes"]}
    modules = {each["module"]: importlib.import_module(each["module"]) for each in job["runtimes"]}
    held = {name: arrays_in(np, folder / name) for name in job["inputs"]}
    inputs = [held[name] for name in job["inputs"]]
    resident = {"imported": resident_at("imported")}
    paths = [str(folder / name) for name in job["models"]]
    loads = [
        functools.partial(
            openers[each["opener"]]["open_model"], modules[each["module"]], path, job["threads"], each["floats"]
        )
        for each, path in zip(job["runtimes"], paths)
    ]
    loading, sessions = map(list, zip(*map(time_call, loads)))
    resident["loaded"] = resident_at("loaded")
    first = [
        first_run(np, *each, folder / f"outputs_{number}.npz") for number, each in enumerate(zip(sessions, inputs))
    ]
    resident["ran"] = resident_at("ran")
    result: dict[str, Any] = {
        "runtime": " and ".join(dict.fromkeys(map(describe_runtime, job["runtimes"], sessions))),
        "load_ms": loading,
        "first_ms": first,
        "peak_memory": memory("VmHWM"),
        "resident": resident,
    }
    if job["seconds"]:
        before = machine_state()
        result["rounds"] = rounds(sessions, lambda: [load() for load in loads], inputs, job)
        result["machine_state"] = {"before": before, "after": machine_state()}
    if job["count"]:
        for running, arrays in zip(sessions, inputs):
            count(running, arrays)
    if job["profile"]:
        sessions.clear()
        for number, (load, arrays) in enumerate(zip(loads, inputs)):
            profile(load, arrays, job, folder / f"profile_{number}", folder / f"graph_{number}.onnx")
    (folder / "result.json").write_text(json.dumps(result))
    print("done", flush=True)


def first_run(np: Any, running: Any, arrays: list[Any], path: Path) -> float:
    """The time of the first feed in milliseconds. The outputs of all feeds are written to `path`."""
    taken, outputs = time_call(running.run, None, feed(running, arrays, 0))
    runs = [outputs, *(running.run(None, feed(running, arrays, k)) for k in range(1, len(arrays[0])))]
    np.savez(path, *[stack_feeds(np, parts) for parts in zip(*runs)])
    return taken


def resident_at(stage: str) -> "int | None":
    """Report a stage and wait for an answer, then return the resident memory in bytes."""
    print(stage, flush=True)
    if not sys.stdin.readline():  # nobody waits for the result any more
        sys.exit(1)
    return memory("VmRSS")


def time_call(function: Callable[..., Any], *given: Any) -> tuple[float, Any]:
    """The duration of a call in milliseconds, and its result."""
    started = time.perf_counter_ns()
    found = function(*given)
    return (time.perf_counter_ns() - started) / 1e6, found


def count(running: Any, arrays: list[Any]) -> None:
    """Run a model once as warm-up and once to be counted. The emulator takes a call of getppid as a mark."""
    given = feed(running, arrays, 0)
    for _ in range(COUNTED):
        os.getppid()
        running.run(None, given)
    os.getppid()


def profile(load: Callable[..., Any], arrays: list[Any], job: dict[str, Any], written: Path, graph: Path) -> None:
    """Run a model while the runtime records the time of each operator: as often as the job says, or as counting
    needs."""
    running = load(enable_profiling=True, profile_file_prefix=str(written), optimized_model_filepath=str(graph))
    if job["count"]:
        count(running, arrays)
    else:
        for _ in range(job["profile"]):
            running.run(None, feed(running, arrays, 0))
    os.replace(running.end_profiling(), f"{written}.json")


def version_of(runtime: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(runtime)
    except PackageNotFoundError:  # it was unpacked without its metadata
        return str(getattr(sys.modules[runtime.replace("-", "_")], "__version__", "of unknown version"))


def describe_runtime(runtime: dict[str, str], running: Any) -> str:
    """The runtime's version and, where it has several, its way of computing."""
    manner = getattr(running, "manner", "")
    return f"{runtime['name']} {version_of(runtime['name'])}{manner and f', {manner}'}"


def arrays_in(np: Any, path: Path) -> list[Any]:
    """The arrays of a .npz file, in order."""
    with np.load(path) as stored:
        return [stored[f"arr_{i}"] for i in range(len(stored.files))]


def feed(running: Any, arrays: list[Any], number: int) -> dict[str, Any]:
    """One feed by input name."""
    return {each.name: array[number, ...] for each, array in zip(running.get_inputs(), arrays)}


def stack_feeds(np: Any, parts: Sequence[Any]) -> Any:
    """One output of all feeds as an array with axes (feeds, ...), or, where shapes differ, all values in one row."""
    arrays = [as_array(np, part) for part in parts]
    if all(each.shape == arrays[0].shape for each in arrays):
        return np.stack(arrays)
    return np.concatenate([each.ravel() for each in arrays])


def as_array(np: Any, value: Any) -> Any:
    """One output of a runtime as an array: a tensor (also of strings), a list of tensors, or a list of maps, sorted by
    key."""
    if isinstance(value, dict):
        return np.asarray([value[key] for key in sorted(value)])
    if isinstance(value, list):
        parts = [as_array(np, each).ravel() for each in value]
        return np.concatenate(parts) if parts else np.zeros(0)
    array = np.asarray(value if value is not None else [])
    return array.astype(str) if array.dtype == object else array


def rounds(
    sessions: list[Any], load: Callable[[], list[Any]], inputs: list[list[Any]], job: dict[str, Any]
) -> list[dict[str, Any]]:
    """Time the models in rounds. Each round has the milliseconds of every run of each model by the clock and in CPU
    time, the number of warm-up runs at its start, and the share of wall time in which this thread had a CPU. There are
    no CPU times if that clock stood still during a run, as it does in some virtual machines.

    Each round after the first loads the models again: their place in memory changes the time of all runs of a session
    by up to 1 %. Timing ends after `seconds` for each model, or earlier when all medians agree within `precision`.
    """
    found: list[dict[str, Any]] = []
    share = job["seconds"] * len(sessions) / job["rounds"]
    until = time.perf_counter() + job["seconds"] * len(sessions)
    for number in range(job["rounds"]):
        if number:
            if time.perf_counter() > until or (job["precision"] and is_precise(found, job["precision"])):
                break
            sessions.clear()
            taken, sessions = time_call(load)
            until += min(taken / 1e3, share)
        started = time.perf_counter(), time.thread_time()
        turn = TURN if len({each["name"] for each in job["runtimes"]}) > 1 else (1, 0)
        taken_ms, cpu_ms = run_in_turns(sessions, inputs, share, job["least_runs"], job["most_runs"], turn)
        wall, own = time.perf_counter() - started[0], time.thread_time() - started[1]
        cut = max(warm_up(times) for times in taken_ms)
        if any(each <= 0 for times in cpu_ms for each in times):
            cpu_ms = []
        found.append({"latencies_ms": taken_ms, "cpu_ms": cpu_ms, "warm_up": cut, "busy": min(own / wall, 1.0)})
    return found


def run_in_turns(
    sessions: list[Any],
    inputs: list[list[Any]],
    seconds: float,
    least: int,
    most: "int | None",
    turn: tuple[int, int] = (1, 0),
) -> tuple[list[list[float]], list[list[float]]]:
    """The milliseconds of the kept runs of each model, by the clock and in CPU time of all threads. Models take turns,
    in random order, so that clock drift affects all alike and none always follows the same one. A `turn` takes at least
    so many runs and nanoseconds; of several runs, all but one of the fewest are kept, the last ones."""
    taken: list[list[float]] = [[] for _ in sessions]
    used: list[list[float]] = [[] for _ in sessions]
    feeds = [feed(running, arrays, 0) for running, arrays in zip(sessions, inputs)]
    waiting = list(zip(sessions, feeds, taken, used))
    order, until = random.Random(0), time.perf_counter() + seconds
    while len(taken[0]) < least or (time.perf_counter() < until and (most is None or len(taken[0]) < most)):
        if len(waiting) > 1:
            order.shuffle(waiting)
        for running, given, times, cpu_times in waiting:
            kept = max(turn[0] - 1, 1)
            in_turn = one_turn(running, given, *turn)
            times += [wall / 1e6 for wall, _ in in_turn[-kept:]]
            cpu_times += [cpu / 1e6 for _, cpu in in_turn[-kept:]]
    return taken, used


def one_turn(running: Any, given: dict[str, Any], fewest: int, nanoseconds: int) -> list[tuple[int, int]]:
    """The nanoseconds of consecutive runs of a model, by the clock and in CPU time of all threads."""
    runs: list[tuple[int, int]] = []
    begun = time.perf_counter_ns()
    while len(runs) < fewest or time.perf_counter_ns() - begun < nanoseconds:
        cpu_started, started = time.process_time_ns(), time.perf_counter_ns()
        running.run(None, given)
        wall = time.perf_counter_ns() - started
        runs.append((wall, time.process_time_ns() - cpu_started))
    return runs


def warm_up(times: Sequence[float]) -> int:
    """The number of warm-up runs at the start: those whose removal minimizes the standard error of the rest, at most
    half of all, and only if their median is outside the interquartile range of the rest. Where there are many runs,
    medians of five are used, so that a single delayed run has no effect.

    Method: White, An effective truncation heuristic for bias reduction in simulation output, Simulation 69(6), 1997
    (MSER-5).
    """
    size = 5 if len(times) >= 50 else 1
    batches = [middle(times[at : at + size]) for at in range(0, len(times) - size + 1, size)]
    total = squares = 0.0
    errors: list[float] = []
    for count, value in enumerate(reversed(batches), 1):
        total += value
        squares += value * value
        errors.append(max(squares / count - (total / count) ** 2, 0.0) / count)
    errors.reverse()
    kept = errors[: len(errors) // 2 + 1]
    cut = kept.index(min(kept)) * size if kept else 0
    rest = sorted(times[cut:])
    steady = cut == 0 or rest[len(rest) // 4] <= middle(times[:cut]) <= rest[3 * len(rest) // 4]
    return 0 if steady else cut


def middle(values: Sequence[float]) -> float:
    """The median."""
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def interval(values: Sequence[float]) -> "tuple[float, float] | None":
    """A distribution-free interval of the median with at least 95 % confidence; None for fewer than FEWEST values.

    Method: order statistics (David and Nagaraja, Order Statistics, 3rd edition, section 7.1).
    """
    ordered = sorted(values)
    count = len(ordered)
    if count < FEWEST:
        return None
    cut = int(count / 2 - 0.98 * math.sqrt(count) - 0.5)
    return ordered[cut], ordered[count - 1 - cut]


def is_precise(found: list[dict[str, Any]], precision: float) -> bool:
    """Whether there are ENOUGH rounds, and every model's medians agree within this share of their median."""
    if len(found) < ENOUGH:
        return False
    for number in range(len(found[0]["latencies_ms"])):
        medians = [middle(each["latencies_ms"][number][each["warm_up"] :]) for each in found]
        if max(medians) - min(medians) > 2 * precision * middle(medians):
            return False
    return True


def machine_state() -> dict[str, Any]:
    """What else affects speed: the clock governor; the CPUs available to this process and in total; the load of the
    last minute; the seconds stolen by other virtual machines; the highest temperature in degrees C; the clock in kHz; a
    Raspberry Pi's throttling bits (get_throttled); an x86 package's throttle count; and the energy that its packages
    used, in microjoules. None where the system does not report a value."""
    stolen = file_text("/proc/stat").splitlines()[:1]
    fields = stolen[0].split() if stolen else []
    heat = [file_text(str(path)) for path in Path("/sys/class/thermal").glob("thermal_zone*/temp")]
    cpu = "/sys/devices/system/cpu/cpu0"
    packages = [number(file_text(f"/sys/class/powercap/intel-rapl:{place}/energy_uj")) for place in range(8)]
    energy = [each for each in packages if each is not None]
    return {
        "governor": file_text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") or None,
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "all_cpus": os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "stolen_s": int(fields[8]) / os.sysconf("SC_CLK_TCK") if len(fields) > 8 else None,
        "celsius": max((int(each) / 1000 for each in heat if each.lstrip("-").isdigit()), default=None),
        "clock_khz": number(file_text(f"{cpu}/cpufreq/scaling_cur_freq")),
        "throttled": number(program_output(["vcgencmd", "get_throttled"]).partition("=")[2]),
        "throttle_count": number(file_text(f"{cpu}/thermal_throttle/package_throttle_count")),
        "energy_uj": sum(energy) if energy else None,
    }


def number(text: str) -> "int | None":
    """An integer, also in the form 0x50000; None for anything else."""
    try:
        return int(text, 0)
    except ValueError:
        return None


def program_output(command: list[str]) -> str:
    """The output of a program; empty if it is missing or fails."""
    if not shutil.which(command[0]):
        return ""
    import subprocess

    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def file_text(path: str) -> str:
    """The content of a file; empty if it cannot be read."""
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def memory(name: str) -> "int | None":
    """A value of /proc/self/status in bytes: VmRSS is the current resident memory, VmHWM its peak; None where the
    system does not report it."""
    # A buffer of fixed size: the file's length varies, and would change the allocator's state and thereby counts.
    held = bytearray(8192)
    try:
        with open("/proc/self/status", "rb", buffering=0) as file:
            file.readinto(held)
    except OSError:
        return None
    start = held.find(b"\n%s:" % name.encode())
    return int(held[start : held.index(b"\n", start + 1)].split()[1]) * 1024 if start >= 0 else None


if __name__ == "__main__":
    end_with_parent()
    main(Path(sys.argv[1]))
