"""Gates: what must hold of a run on a target, and whether it could be checked."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.errors import EdgekitError, RunError
from edgekit.measurement import Measurement
from edgekit.traits import Fidelity

if TYPE_CHECKING:
    from edgekit.arrays import Array
    from edgekit.runners.runner import Result

FLOAT_TOLERANCE = 1e-4
"""Of the largest output: what another order of float additions explains."""
INTEGER_TOLERANCE = 1e-2
"""Of the largest output, where the size of one integer step cannot be read from the file."""


class Status(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not_run"
    """It could not be checked here. Never counts as passed."""


@dataclass(frozen=True)
class Gate:
    name: str
    status: Status
    detail: str

    def to_json(self) -> dict[str, str]:
        return {"name": self.name, "status": self.status.value, "detail": self.detail}


def parity_gate(path: Path, expected: Sequence["Array"], result: "Result | EdgekitError", samples: int) -> Gate:
    """Whether a run on a target gave what this machine gives: failed where it crashed, not run where there was none."""
    if isinstance(result, RunError):
        return Gate("parity", Status.FAILED, result.message)
    if isinstance(result, EdgekitError):
        return Gate("parity", Status.NOT_RUN, f"{result.message}; {result.hint}")
    allowed, why = tolerance_of(path, expected)
    apart = largest_difference(expected, result.outputs[0])
    status = Status.PASSED if apart <= allowed else Status.FAILED
    where = "here" if result.fidelity is Fidelity.NATIVE else f"{result.fidelity} against here"
    return Gate("parity", status, f"{samples} samples {where}: differ by {apart:.3g}, allowed {allowed:.3g} ({why})")


def memory_gate(limit: int, why: str, measurements: Sequence[Measurement], result: "Result | EdgekitError") -> Gate:
    """Whether the peak memory among `measurements` lies within `limit` bytes."""
    memory = next((each for each in measurements if each.name == "memory_peak"), None)
    if memory is None:
        return Gate("memory", Status.NOT_RUN, why_not(result, "the emulator cannot tell the guest's memory apart"))
    status = Status.PASSED if memory.value <= limit else Status.FAILED
    return Gate("memory", status, f"{memory.value / 1e6:.1f} MB ({memory.fidelity}) of {limit / 1e6:.0f} MB, {why}")


def why_not(result: "Result | EdgekitError", otherwise: str) -> str:
    """Why a gate could not run: the reason there was no result, with its remedy, else what is given."""
    return f"{result.message}; {result.hint}" if isinstance(result, EdgekitError) else otherwise


def tolerance_of(path: Path, expected: Sequence["Array"]) -> tuple[float, str]:
    """How far, in the output's unit, two runs of a file may lie apart on two CPUs, and why."""
    import numpy as np

    from edgekit.model.facts import observed_facts, output_step
    from edgekit.model.reading import load_model
    from edgekit.traits import Trait

    model = load_model(path)
    steps = output_step(model)
    if steps:
        return max(steps.values()), "one integer step"
    largest = max((float(np.abs(each).max(initial=0.0)) for each in expected), default=0.0)
    share = INTEGER_TOLERANCE if Trait.INTEGER in observed_facts(model) else FLOAT_TOLERANCE
    return share * largest, f"{share:g} of the largest output"


def largest_difference(expected: Sequence["Array"], given: Sequence["Array"]) -> float:
    """The largest absolute difference over all outputs; infinity where shapes differ or numbers became NaN."""
    import numpy as np

    if shapes_of(expected) != shapes_of(given):
        return float("inf")
    worst = 0.0
    for left, right in zip(expected, given, strict=True):
        apart = np.abs(left.astype(np.float64) - right.astype(np.float64))
        apart[np.isnan(left) & np.isnan(right)] = 0.0
        worst = max(worst, float("inf") if np.isnan(apart).any() else float(apart.max(initial=0.0)))
    return worst


def shapes_of(arrays: Sequence["Array"]) -> list[tuple[int, ...]]:
    """The shape of each array."""
    return [each.shape for each in arrays]
