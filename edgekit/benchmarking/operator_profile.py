"""The time of each operator type of a model."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import onnx

from edgekit.device.worker import middle
from edgekit.instruction_counts.counts import Counts, total_of
from edgekit.model.operator_kinds import CONVERSIONS, NOT_COMPUTING, operator_kinds
from edgekit.model.operators import INTEGER_OPERATORS
from edgekit.model.shapes import for_one_sample
from edgekit.runners.runner import Profile
from edgekit.traits import Fidelity

_FLOATS = {"float", "float16", "double", "bfloat16"}


class OperatorPrecision(StrEnum):
    """The type of values that an operator computes with."""

    INTEGERS = "integers"
    FLOATS = "floats"
    ISLAND = "conversions between floats and integers"
    CONVERTS = "converts"
    NOTHING = "moves numbers"


@dataclass(frozen=True)
class OperatorTime:
    """All operators of one type in one run."""

    operator: str
    on: OperatorPrecision
    count: int
    milliseconds: float | None
    """None under emulation."""
    share: float | None
    """Of the time of all operators. Under emulation, of the predicted time, or of the instructions if there is none."""
    instructions: int | None = None
    """Under emulation, if they were counted."""
    predicted_ms: float | None = None
    """Predicted from the counts, if possible."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


Price = Callable[[Counts], float | None]


def operator_times(profile: Profile, fidelity: Fidelity, price: Price | None = None) -> tuple[OperatorTime, ...]:
    """The operators that the runtime ran, by type, the largest share first. Times are medians of all runs but the
    first; instructions are those of the last run, to which `price` assigns milliseconds."""
    runs = profile.runs
    islands = _in_islands(profile.graph)
    counts: dict[tuple[str, OperatorPrecision], int] = defaultdict(int)
    times: dict[tuple[str, OperatorPrecision], float] = defaultdict(float)
    counts_of: dict[tuple[str, OperatorPrecision], list[Counts]] = defaultdict(list)
    for number, event in enumerate(runs[0]):
        operator = event["args"]["op_name"]
        key = operator, _computes(event["args"], islands)
        counts[key] += 1
        later = [run[number]["dur"] for run in runs[1:] or runs]
        times[key] += middle(later) / 1e3
        counts_of[key] += profile.counts[number : number + 1]
    timed = fidelity is not Fidelity.EMULATED
    instructions = {key: sum(each.total for each in entry) for key, entry in counts_of.items() if entry}
    prices = {key: price(total_of(entry)) for key, entry in counts_of.items() if entry and price}
    priced = {key: each for key, each in prices.items() if each is not None}
    weights: Mapping[tuple[str, OperatorPrecision], float] = times if timed else priced or instructions
    total = sum(weights.values())
    found = [
        OperatorTime(
            *key,
            count,
            times[key] if timed else None,
            weights[key] / total if total else None,
            instructions.get(key),
            priced.get(key),
        )
        for key, count in counts.items()
    ]
    return tuple(sorted(found, key=lambda each: (-(each.share or 0.0), -each.count, each.operator)))


def _computes(values: Mapping[str, Any], islands: frozenset[str]) -> OperatorPrecision:
    operator = values["op_name"]
    if operator in INTEGER_OPERATORS:
        return OperatorPrecision.INTEGERS
    if operator in CONVERSIONS:
        return OperatorPrecision.CONVERTS
    floats = any(kind in _FLOATS for tensor in values["output_type_shape"] for kind in tensor)
    if floats and operator in islands:
        return OperatorPrecision.ISLAND
    return OperatorPrecision.FLOATS if floats and operator not in NOT_COMPUTING else OperatorPrecision.NOTHING


def _in_islands(model: onnx.ModelProto) -> frozenset[str]:
    """The operator types in float islands: float operators between a dequantization and a quantization."""
    named = operator_kinds(model, for_one_sample(model)).islands
    return frozenset(kind for island in named for kind in island.split(", "))
