"""Measurement: a figure that says what it is of and how it was obtained."""

from dataclasses import asdict, dataclass
from typing import Any

from edgekit.traits import Fidelity


@dataclass(frozen=True)
class Measurement:
    model: str
    name: str
    value: float
    unit: str
    """ms, bytes, count, or a metric's name."""
    fidelity: Fidelity
    detail: str = ""
    """How: threads, samples, CPU."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
