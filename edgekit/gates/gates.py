"""Gates: what must hold for a run on a target, and whether it could be checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.errors import EdgekitError, RunError
from edgekit.figures.measurement import PREDICTED, Measurement
from edgekit.formats import format_of
from edgekit.target import Budgets, Target
from edgekit.traits import Fidelity, Format
from edgekit.wording import disturbed_words

if TYPE_CHECKING:
    from edgekit.arrays import Array
    from edgekit.runners.runner import Result

_ROUNDING = 1e-3
"""In LSB: two floats that represent adjacent integers may differ from one LSB by rounding."""

NO_LATENCY = "wall time under emulation is not a latency"


class Status(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not_run"
    """The gate could not be checked here. It never counts as passed."""
    UNDECIDED = "undecided"
    """The known interval contains the limit, or too little is known. It never counts as passed."""


@dataclass(frozen=True)
class Gate:
    name: str
    status: Status
    detail: str
    warning: str = ""
    """What a user should know although the gate did not fail."""

    def to_json(self) -> dict[str, str]:
        values = {"name": self.name, "status": self.status.value, "detail": self.detail}
        return {**values, "warning": self.warning} if self.warning else values


def parity_gate(
    path: Path, feeds: Sequence["Array"], expected: Sequence["Array"], result: "Result | EdgekitError"
) -> Gate:
    """Whether a run on a target gave the same outputs as this machine for each feed, arrays with axes (feeds, ...).
    Failed if the run crashed; not run if there was none, or if the outputs do not depend on the inputs."""
    if isinstance(result, RunError):
        return Gate("parity", Status.FAILED, result.message)
    if isinstance(result, EdgekitError):
        return Gate("parity", Status.NOT_RUN, f"{result.message}; {result.hint}")
    given = result.outputs[0]
    where = "here" if result.fidelity is Fidelity.NATIVE else f"{result.fidelity} against here"
    count = len(feeds[0])
    text = f"{count} sample{'s' if count > 1 else ''} {where}"
    if shapes_of(given) != shapes_of(expected):
        return Gate("parity", Status.FAILED, f"{text}: shapes {shapes_of(given)} instead of {shapes_of(expected)}")
    worst = max(differences(path, feeds, expected, given), key=lambda each: each.apart / each.allowed)
    text = f"{text}: differ by {worst.apart:.3g}, allowed {worst.allowed:.3g} ({worst.why})"
    if worst.apart > worst.allowed:
        return Gate("parity", Status.FAILED, text)
    if _ignores(feeds, expected):
        return Gate("parity", Status.NOT_RUN, f"{text}; however, the outputs are the same for every input")
    return Gate("parity", Status.PASSED, text)


def budget_gates(
    budgets: Budgets,
    target: Target,
    measurements: Sequence[Measurement],
    missing: str = "",
    unpredicted: str = "",
    disturbed: Sequence[str] = (),
) -> list[Gate]:
    """Whether one model's measurements keep the budgets, and its memory fits into the RAM that the target's system
    leaves. `missing` says why it was not run. If no latency was measured, the predicted one is used, or `unpredicted`
    says why there is none; a latency measured on a `disturbed` machine decides nothing."""
    figures = {each.name: each for each in measurements}
    gates = []
    if budgets.max_bytes is not None:
        size = int(figures["file_size"].value)
        status = Status.PASSED if size <= budgets.max_bytes else Status.FAILED
        gates.append(Gate("size", status, f"{size:,} bytes, at most {budgets.max_bytes:,}"))
    memory_limit = budgets.max_memory_bytes or target.left_bytes
    if memory_limit is not None:
        left = "the RAM that the target's operating system leaves free" if target.system_bytes else "the target's RAM"
        why = "the budget" if budgets.max_memory_bytes else left
        gates.append(memory_gate(memory_limit, why, measurements, missing))
    if budgets.max_latency_ms is not None:
        otherwise = missing or unpredicted or NO_LATENCY
        gates.append(_latency_gate(budgets.max_latency_ms, figures, otherwise, disturbed))
    return gates


def _latency_gate(limit: float, figures: Mapping[str, Measurement], otherwise: str, disturbed: Sequence[str]) -> Gate:
    measured, predicted = figures.get("latency_p50"), figures.get(PREDICTED)
    if measured is not None:
        text = f"p50 {measured.value:.3g} ms, at most {limit:g} ms"
        if disturbed:
            return Gate("latency", Status.UNDECIDED, f"{text}; {disturbed_words(disturbed)}")
        low, high = measured.low or measured.value, measured.high or measured.value
        if low <= limit < high:
            return Gate("latency", Status.UNDECIDED, f"{text}; the interval contains the limit: {measured.limits} ms")
        return Gate("latency", Status.PASSED if high <= limit else Status.FAILED, text)
    if predicted is None or predicted.low is None or predicted.high is None:
        return Gate("latency", Status.NOT_RUN, otherwise)
    text = f"predicted {predicted.value:.3g} ms, {predicted.limits} ms, at most {limit:g} ms"
    if predicted.low > limit:
        return Gate("latency", Status.FAILED, f"{text}; {predicted.detail}")
    passes = predicted.high <= limit and predicted.confidence > 0
    return Gate("latency", Status.PASSED if passes else Status.UNDECIDED, f"{text}; {predicted.detail}")


def memory_gate(limit: int, why: str, measurements: Sequence[Measurement], missing: str = "") -> Gate:
    """Whether the peak memory among `measurements` is within `limit` bytes. `missing` says why it was not run."""
    memory = next((each for each in measurements if each.name == "memory_peak"), None)
    if memory is None:
        unknown = missing or "the emulator cannot separate the guest's memory from its own"
        return Gate("memory", Status.NOT_RUN, unknown)
    status = Status.PASSED if memory.value <= limit else Status.FAILED
    return Gate("memory", status, f"{memory.value / 1e6:.1f} MB ({memory.fidelity}) of {limit / 1e6:.0f} MB, {why}")


def why_missing(result: "Result | EdgekitError") -> str:
    """Why a gate could not run: the error and its remedy if there is no result; else empty."""
    return f"{result.message}; {result.hint}" if isinstance(result, EdgekitError) else ""


@dataclass(frozen=True)
class Difference:
    """The difference of an output from the expected one, and the tolerance."""

    apart: float
    allowed: float
    why: str


def differences(
    path: Path, feeds: Sequence["Array"], expected: Sequence["Array"], given: Sequence["Array"]
) -> list[Difference]:
    """The difference of each output of a file for the same feeds on two CPUs: absolute if one LSB is known, else
    relative to the largest value of the same part, as in `relative_difference`. Arrays have axes (feeds, ...)."""
    if format_of(path) is Format.TFLITE:
        return _tflite_differences(path, feeds, expected, given)
    from edgekit.model.facts import observed_facts, output_step
    from edgekit.model.reading import load_model
    from edgekit.model.sample import COMPARED
    from edgekit.numerics.compare import relative_difference
    from edgekit.numerics.tolerance import float_tolerance, lsb_tolerance, tie_tolerance
    from edgekit.runtimes.ort import feed_outputs
    from edgekit.traits import Trait

    model = load_model(path)
    steps = output_step(model)
    if Trait.INTEGER in observed_facts(model):
        share = 0.0 if len(steps) == len(model.graph.output) else lsb_tolerance(path, tuple(feeds))
        why = "of the largest value of a part: rounding differences move values by 8-bit LSBs"
    else:
        few = tuple(each[:COMPARED] for each in feeds)
        share = float_tolerance(feed_outputs(path, few, optimize=False), feed_outputs(path, few))
        why = "of the largest value of a part: float rounding"
    found = []
    for place, (port, left, right) in enumerate(zip(model.graph.output, expected, given, strict=True)):
        if port.name in steps:
            apart, allowed, why = _largest_difference(left, right), steps[port.name], "one LSB"
            if apart > allowed * (1 + _ROUNDING):
                moved = tie_tolerance(path, tuple(feeds), place, allowed)
                if moved > allowed:
                    allowed, why = (
                        moved,
                        f"{moved / allowed:.2g} LSB: resolving rounding ties the other way moves this model's "
                        "outputs as far",
                    )
            found.append(Difference(apart, allowed * (1 + _ROUNDING), why))
        else:
            found.append(Difference(relative_difference([left], [right]), share, why))
    return found


def _tflite_differences(
    path: Path, feeds: Sequence["Array"], expected: Sequence["Array"], given: Sequence["Array"]
) -> list[Difference]:
    """The same for a .tflite file."""
    from edgekit.numerics.compare import relative_difference
    from edgekit.numerics.tolerance import LEAST, MOST_LSB, tflite_tolerance
    from edgekit.tflite.reading import read_tflite

    file = read_tflite(path)
    steps = file.output_steps()
    rounding = cache(lambda: tflite_tolerance(path, tuple(feeds)))
    found = []
    for port, left, right in zip(file.ports(file.outputs), expected, given, strict=True):
        step = steps.get(port.name)
        if step is None:
            apart, share = relative_difference([left], [right]), LEAST
            if apart > LEAST and file.is_integer:
                share = rounding()
            why = "float rounding" if share == LEAST else "rounding differences move values by 8-bit LSBs"
            found.append(Difference(apart, share, f"of the largest value of a part: {why}"))
        else:
            apart = _largest_difference(left, right)
            same = apart < _ROUNDING * step
            text, allowed = "one LSB; all integers are equal" if same else "one LSB", step
            if apart > step * (1 + _ROUNDING):
                allowed = MOST_LSB * step
                text = f"{MOST_LSB} LSB: TFLite's integer kernels round differently on other CPUs and runtimes"
            found.append(Difference(apart, allowed * (1 + _ROUNDING), text))
    return found


def _ignores(feeds: Sequence["Array"], outputs: Sequence["Array"]) -> bool:
    """Whether every output is the same for several different inputs."""
    varies = any((each[1:] != each[:1]).any() for each in feeds)
    return varies and all(len(each) > 1 and (each[1:] == each[:1]).all() for each in outputs)


def _largest_difference(expected: "Array", given: "Array") -> float:
    """The largest absolute difference; infinity if numbers became NaN."""
    import numpy as np

    apart = np.abs(expected.astype(np.float64) - given.astype(np.float64))
    apart[(expected == given) | (np.isnan(expected) & np.isnan(given))] = 0.0
    return float("inf") if np.isnan(apart).any() else float(apart.max(initial=0.0))


def shapes_of(arrays: Sequence["Array"]) -> list[tuple[int, ...]]:
    """The shape of each array."""
    return [each.shape for each in arrays]
