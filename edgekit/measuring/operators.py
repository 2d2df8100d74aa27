"""What each kind of operator takes of a model's time."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import onnx

from edgekit.measuring.worker import middle
from edgekit.model.kinds import CONVERSIONS, NOT_COMPUTING, operator_kinds
from edgekit.model.operators import INTEGER_OPERATORS
from edgekit.model.shapes import for_one_sample
from edgekit.runners.runner import Profile
from edgekit.traits import Fidelity

_FLOATS = {"float", "float16", "double", "bfloat16"}


class Computes(StrEnum):
    """What an operator computes on."""

    INTEGERS = "integers"
    FLOATS = "floats"
    ISLAND = "floats between integers"
    CONVERTS = "converts"
    NOTHING = "moves numbers"


@dataclass(frozen=True)
class OperatorTime:
    """All operators of one kind, of one run."""

    operator: str
    on: Computes
    count: int
    milliseconds: float | None
    """None under emulation."""
    share: float | None
    """Of the time of all operators; under emulation of their instructions."""
    instructions: int | None = None
    """Under emulation, where they were counted."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def operator_times(profile: Profile, fidelity: Fidelity) -> tuple[OperatorTime, ...]:
    """The operators that the runtime really ran, by kind, the largest share first; times are medians of runs without
    the first one, instructions those of the last."""
    runs = profile.runs
    islands = _in_islands(onnx.load_from_string(profile.graph))
    counts: dict[tuple[str, Computes], int] = defaultdict(int)
    times: dict[tuple[str, Computes], float] = defaultdict(float)
    instructions: dict[tuple[str, Computes], int] = defaultdict(int)
    for number, event in enumerate(runs[0]):
        operator = event["args"]["op_name"]
        key = operator, _computes(event["args"], islands)
        counts[key] += 1
        later = [run[number]["dur"] for run in runs[1:] or runs]
        times[key] += middle(later) / 1e3
        instructions[key] += profile.counts[number].total if profile.counts else 0
    timed = fidelity is not Fidelity.EMULATED
    weights: Mapping[tuple[str, Computes], float] = times if timed else instructions
    total = sum(weights.values())
    found = [
        OperatorTime(
            *key,
            count,
            times[key] if timed else None,
            weights[key] / total if total else None,
            instructions[key] if profile.counts else None,
        )
        for key, count in counts.items()
    ]
    return tuple(sorted(found, key=lambda each: (-(each.share or 0.0), -each.count, each.operator)))


def _computes(told: Mapping[str, Any], islands: frozenset[str]) -> Computes:
    operator = told["op_name"]
    if operator in INTEGER_OPERATORS:
        return Computes.INTEGERS
    if operator in CONVERSIONS:
        return Computes.CONVERTS
    floats = any(kind in _FLOATS for tensor in told["output_type_shape"] for kind in tensor)
    if floats and operator in islands:
        return Computes.ISLAND
    return Computes.FLOATS if floats and operator not in NOT_COMPUTING else Computes.NOTHING


def _in_islands(model: onnx.ModelProto) -> frozenset[str]:
    """The types of operators that stand on floats between conversions from integers and back."""
    named = operator_kinds(model, for_one_sample(model)).islands
    return frozenset(kind for island in named for kind in island.split(", "))
