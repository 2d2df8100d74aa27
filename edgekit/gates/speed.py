"""The gate never-slower: whether the integer model is at most as slow as its float source."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.figures.ratios import LEAST_MACS, SESSION_DIFFERENCE, Ratio
from edgekit.gates.gates import Gate, Status
from edgekit.traits import Format
from edgekit.wording import disturbed_words

NEVER_SLOWER = "never-slower"
_CLEARLY_MORE = 1.2
"""The ratio of instruction counts above which the integer model is probably slower. Instructions differ in cost: with
similar counts either model may be faster."""
_NOTHING = "the target is not this machine, and no latency calibration covers the comparison"


@dataclass(frozen=True)
class SpeedComparison:
    """How the deployed model's time compares with the float model's, as far as it is known."""

    times: Ratio | None = None
    """Of latencies measured in turns."""
    cpu_times: Ratio | None = None
    """Of the CPU times of the same runs."""
    predicted: Ratio | None = None
    """Of predicted latencies, by a latency calibration that covers both."""
    instructions: float | None = None
    """Of the instructions counted in a run of each under emulation, with one thread."""


def speed_gate(
    path: Path, limit: float | None, found: SpeedComparison, disturbed: Sequence[str] = (), missing: str = ""
) -> Gate:
    """Whether the deployed file at `path` takes at most `limit` times as long as the float student; 1 by default.

    The gate fails if the whole interval of the ratio is above the limit by more than two sessions of one file differ.
    It is undecided for times of a `disturbed` machine, for a predicted interval that contains the limit, and if only
    instructions are known. It is not run without any of these; `missing` says why the models were not run. A network so
    small that its time is that of the runtime's calls is only judged if a limit is given. The gate has a warning if the
    model is probably slower and the gate does not fail.
    """
    from edgekit.formats import format_of, inspect_file

    if format_of(path) is Format.TFLITE:
        return Gate(
            NEVER_SLOWER, Status.NOT_RUN, "the float model is an ONNX file, which the target's runtime does not run"
        )
    allowed = 1.0 if limit is None else limit
    ratio = found.times or found.predicted
    if ratio is None:
        return _counted_gate(found.instructions, allowed, missing)
    text = f"{'' if found.times else 'predicted: '}{ratio} of the float model's time, at most {allowed:g}"
    slower = ratio.low > SESSION_DIFFERENCE * allowed
    inspected = inspect_file(path)
    if found.times and disturbed:
        return _disturbed_gate(text, found.cpu_times, disturbed, allowed)
    if limit is None and inspected.macs is not None and inspected.macs < LEAST_MACS:
        detail = f"{text}; {inspected.macs:,} multiply-accumulates take less time than the operator calls"
        return Gate(NEVER_SLOWER, Status.NOT_RUN, detail, _warning(f"{ratio} of the float model's time") * slower)
    if found.predicted and ratio.low <= SESSION_DIFFERENCE * allowed and allowed < ratio.high:
        return Gate(NEVER_SLOWER, Status.UNDECIDED, text)
    if not slower:
        return Gate(NEVER_SLOWER, Status.PASSED, text)
    kinds = [f"{count} {kind}" for kind, count in inspected.float_kinds.items()]
    conversions = sum(inspected.operators.get(kind, 0) for kind in ("QuantizeLinear", "DequantizeLinear"))
    return Gate(
        NEVER_SLOWER,
        Status.FAILED,
        f"{text}: {inspected.float_operators} operators compute on floats ({', '.join(kinds) or 'none'}), "
        f"{conversions} convert between integers and floats",
    )


def _counted_gate(instructions: float | None, allowed: float, missing: str) -> Gate:
    """The gate without a ratio of times: undecided with a ratio of instructions, else not run."""
    if instructions is None:
        return Gate(NEVER_SLOWER, Status.NOT_RUN, missing or _NOTHING)
    text = f"{instructions:.2f} times the float model's instructions (emulated, one thread)"
    more = instructions > _CLEARLY_MORE * allowed
    return Gate(NEVER_SLOWER, Status.UNDECIDED, f"{text}; {_NOTHING}", _warning(text) * more)


def _disturbed_gate(text: str, cpu_times: Ratio | None, disturbed: Sequence[str], allowed: float) -> Gate:
    """The gate for times of a disturbed machine. CPU times are a second witness that decides nothing: they depend on
    the caches that other processes use."""
    witness = f"; by CPU time {cpu_times}" if cpu_times else ""
    slower = cpu_times is not None and cpu_times.low > SESSION_DIFFERENCE * allowed
    detail = f"{text}{witness}; {disturbed_words(disturbed)}"
    return Gate(NEVER_SLOWER, Status.UNDECIDED, detail, _warning(f"{cpu_times} of the float model's CPU time") * slower)


def _warning(text: str) -> str:
    return (
        f"the integer model is probably slower than the float model: {text}; compare both on the device with "
        "edgekit bench, or deploy the float model"
    )
