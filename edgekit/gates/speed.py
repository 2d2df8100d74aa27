"""The gate never-slower: whether the integer model is at most as slow as its float source."""

from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.errors import EdgekitError
from edgekit.figures.ratios import LEAST_MACS, SESSION_DIFFERENCE, Ratio, ratio_of
from edgekit.gates.gates import Gate, Status, why_not
from edgekit.traits import Format

if TYPE_CHECKING:
    from edgekit.runners.runner import Result

NEVER_SLOWER = "never-slower"
_NOTHING = "the target is not this machine, and no latency calibration covers the comparison"


def speed_gate(
    path: Path, limit: float | None, result: "Result | EdgekitError", predicted: Ratio | None = None
) -> Gate:
    """Whether the deployed file at `path` takes at most `limit` times as long as the float student; 1 by default.

    `result` holds the times of both, in this order, measured in turns. If it has no times, their ratio may be
    `predicted`. The gate fails if the whole interval of the ratio is above the limit by more than two sessions of one
    file differ. A predicted interval that contains the limit is undecided. The gate is not run without a ratio, and for
    a network so small that its time is that of the runtime's calls.
    """
    from edgekit.formats import format_of, inspect_file

    if format_of(path) is Format.TFLITE:
        return Gate(
            NEVER_SLOWER, Status.NOT_RUN, "the float model is an ONNX file, which the target's runtime does not run"
        )
    if isinstance(result, EdgekitError) or (len(result.latencies_ms) < 2 and predicted is None):
        return Gate(NEVER_SLOWER, Status.NOT_RUN, why_not(result, _NOTHING))
    allowed = 1.0 if limit is None else limit
    found, ratio = inspect_file(path), predicted or ratio_of(*result.latencies_ms[:2])
    text = f"{'predicted: ' if predicted else ''}{ratio} of the float model's time, at most {allowed:g}"
    if found.macs is not None and found.macs < LEAST_MACS:
        return Gate(
            NEVER_SLOWER,
            Status.NOT_RUN,
            f"{text}; {found.macs:,} multiply-accumulates take less time than the operator calls",
        )
    if predicted and ratio.low <= SESSION_DIFFERENCE * allowed and allowed < ratio.high:
        return Gate(NEVER_SLOWER, Status.UNDECIDED, text)
    if ratio.low <= SESSION_DIFFERENCE * allowed:
        return Gate(NEVER_SLOWER, Status.PASSED, text)
    kinds = [f"{count} {kind}" for kind, count in found.float_kinds.items()]
    conversions = sum(found.operators.get(kind, 0) for kind in ("QuantizeLinear", "DequantizeLinear"))
    return Gate(
        NEVER_SLOWER,
        Status.FAILED,
        f"{text}: {found.float_operators} operators compute on floats ({', '.join(kinds) or 'none'}), "
        f"{conversions} convert between integers and floats",
    )
