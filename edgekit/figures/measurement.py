"""Measurement: a figure with what it measures and how it was obtained; and measurements of a file or a list of
latencies."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.traits import Fidelity

if TYPE_CHECKING:
    from edgekit.model.sizes import Sizes


PREDICTED = "latency_predicted"
"""The name of a latency that is predicted from counts."""


@dataclass(frozen=True)
class Measurement:
    model: str
    name: str
    value: float
    unit: str
    """ms, bytes, count, or a metric's name."""
    fidelity: Fidelity
    detail: str = ""
    """How it was measured: threads, samples, CPU."""
    low: float | None = None
    high: float | None = None
    """The interval's ends; None if there is no interval."""
    threads: int | None = None
    batch: int | None = None
    """Of a run; None if the figure depends on neither."""
    confidence: float = 0.95
    """The confidence level of the interval; 0 for a range without a coverage guarantee."""

    @property
    def limits(self) -> str:
        """The interval as text; empty if there is none."""
        if self.low is None:
            return ""
        claim = f"{self.confidence:.0%}:".replace("%", " %") if self.confidence else "range"
        digits = 3 if self.fidelity is Fidelity.PREDICTED else 4
        return f"{claim} {self.low:.{digits}g} to {self.high:.{digits}g}"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def highest_fidelity(measurements: Sequence[Measurement], name: str) -> Measurement:
    """The measurement with this name that says most about the device: on the board, else under its emulation, else on
    this machine. Raises ValueError if there is none."""
    order = (Fidelity.DEVICE, Fidelity.EMULATED, Fidelity.NATIVE)
    found = [each for each in measurements if each.name == name and each.fidelity in order]
    if not found:
        raise ValueError(f"there is no figure '{name}'")
    return min(found, key=lambda each: order.index(each.fidelity))


def static_measurements(name: str, path: Path, sizes: "Sizes | None" = None) -> list[Measurement]:
    """What can be counted in a file: bytes, parameters and, if they are known, the bytes of activations and the
    multiply-accumulates of one sample, with dynamic axes of the lengths in `sizes`."""
    from edgekit.formats import inspect_file

    found = inspect_file(path, sizes)
    items = [
        Measurement(name, "file_size", path.stat().st_size, "bytes", Fidelity.STATIC),
        Measurement(name, "parameters", found.parameters, "count", Fidelity.STATIC),
        Measurement(name, "weight_bytes", found.weight_bytes, "bytes", Fidelity.STATIC),
    ]
    if found.activation_bytes is not None:
        how = "peak of the tensors held at the same time, in the file's execution order"
        items.append(Measurement(name, "activation_bytes", found.activation_bytes, "bytes", Fidelity.STATIC, how))
    if found.macs is not None:
        items.append(Measurement(name, "macs", found.macs, "count", Fidelity.STATIC))
    return items


def latency_measurements(
    name: str, latencies_ms: Sequence[float], fidelity: Fidelity, detail: str, ranks: Sequence[int] = (50, 90, 99)
) -> list[Measurement]:
    """Percentiles of the latencies of single runs, in milliseconds."""
    import numpy as np

    return [
        Measurement(name, f"latency_p{rank}", float(np.percentile(latencies_ms, rank)), "ms", fidelity, detail)
        for rank in ranks
    ]
