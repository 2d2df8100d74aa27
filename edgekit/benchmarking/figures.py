"""The figures of a run that `edgekit bench` prints."""

from collections.abc import Sequence
from dataclasses import replace

from edgekit.benchmarking.instruction_figures import instruction_figures
from edgekit.device.worker import interval, middle
from edgekit.figures.measurement import Measurement, latency_measurements
from edgekit.figures.ratios import ratio_of
from edgekit.runners.environment import disturbances
from edgekit.runners.runner import Result, Round
from edgekit.wording import count_of

_PARTS = {
    "imported": ("memory_runtime", "resident memory of Python and the runtime, without a model"),
    "loaded": ("memory_model", "added by loading the model"),
    "ran": ("memory_arena", "added by the first runs"),
}


def run_measurements(name: str, result: Result, threads: int, batch: int) -> list[Measurement]:
    """The figures of one model's run: times where it was timed, memory where it is known."""
    items = [median_latency(name, result), *_times(name, result, batch)] if result.rounds else []
    items += [*_energy(name, result), *peak_memory(name, result)]
    if result.resident:
        items += _memory_parts(name, result)
    items += instruction_figures(name, result.counts[0], result.fidelity) if result.counts else []
    return [replace(each, threads=threads, batch=batch) for each in items]


def _energy(name: str, result: Result) -> list[Measurement]:
    """The energy of a run, if the packages count it and only this model was timed."""
    before, after = (result.machine_state.get(when, {}).get("energy_uj") for when in ("before", "after"))
    if before is None or after is None or after < before or result.shared:  # the counter wraps around
        return []
    runs = sum(len(each.latencies_ms[0]) for each in result.rounds)
    how = "energy of the CPU packages during the measurement, model loading included, divided by the runs"
    return [Measurement(name, "energy", (after - before) / 1e3 / runs, "mJ", result.fidelity, how)]


def peak_memory(name: str, result: Result) -> list[Measurement]:
    """Peak memory of a run, and of an emulator that shares its memory limit; empty if it is unknown."""
    if result.memory_bytes is None:
        return []
    how = f"{result.runtime} with its Python process"
    items = [Measurement(name, "memory_peak", result.memory_bytes, "bytes", result.fidelity, how)]
    if result.emulator_bytes is not None:
        beside = "the emulator's own memory excluded; not a device's figure"
        items.append(Measurement(name, "memory_emulator", result.emulator_bytes, "bytes", result.fidelity, beside))
    return items


def latency_ratio(name: str, result: Result, other: str, against: Result, threads: int, batch: int) -> Measurement:
    """The ratio of a model's time to another's, load by load, both timed in turns: of latencies, or of CPU times if the
    machine was disturbed."""
    disturbed = disturbances(result, threads)
    by_cpu = bool(disturbed and all(each.cpu_ms for one in (result, against) for each in one.rounds))

    def steady(each: Round) -> Sequence[float]:
        return (each.cpu_ms if by_cpu else each.latencies_ms)[0][each.warm_up :]

    ratios = [ratio_of(*map(steady, pair)).median for pair in zip(result.rounds, against.rounds, strict=True)]
    low, high = interval(ratios) or (None, None)
    how = f"to {other}, timed in turns" + (", by CPU time, because the machine was disturbed" if by_cpu else "")
    return Measurement(name, "latency_ratio", middle(ratios), "ratio", result.fidelity, how, low, high, threads, batch)


def median_latency(name: str, result: Result) -> Measurement:
    """The median latency, with the interval over its loads."""
    medians = [middle(each.latencies_ms[0][each.warm_up :]) for each in result.rounds]
    limits = interval(medians)
    loads = f"{count_of(len(medians), 'load')}" + ("" if limits else ", too few for an interval")
    runs, warm = len(result.latencies_ms[0]), sum(each.warm_up for each in result.rounds)
    how = f"{runs:,} runs of {loads}, after {warm:,} warm-up runs"
    return Measurement(name, "latency_p50", middle(medians), "ms", result.fidelity, how, *(limits or (None, None)))


def _times(name: str, result: Result, batch: int) -> list[Measurement]:
    """Times of the steady state besides the median, and those of loading and warm-up."""
    import numpy as np

    runs = result.latencies_ms[0]
    apart = np.concatenate([np.abs(np.diff(each.latencies_ms[0][each.warm_up :])) for each in result.rounds])
    found = {"latency_max": (max(runs), "ms", "")}
    if len(apart):
        found["jitter"] = (float(apart.mean()), "ms", "mean time between the starts of consecutive runs")
    found["throughput"] = (1e3 * batch * len(runs) / sum(runs), "samples/s", "consecutive runs")
    found["load"] = (result.load_ms[0], "ms", "first run in a process")
    found["first_inference"] = (result.first_ms[0], "ms", "after it")
    return [
        *latency_measurements(name, runs, result.fidelity, "", (90, 99)),
        *(Measurement(name, key, value, unit, result.fidelity, how) for key, (value, unit, how) in found.items()),
    ]


def _memory_parts(name: str, result: Result) -> list[Measurement]:
    """Memory by origin: the runtime, the model, and its first runs."""
    before, found = 0, []
    for stage, (key, how) in _PARTS.items():
        size = result.resident[stage]
        found.append(Measurement(name, key, max(size - before, 0), "bytes", result.fidelity, how))
        before = size
    return found
