"""The verdict on a deployed model: the status of every gate, and the measurements behind them."""

from dataclasses import dataclass
from typing import Any

from edgekit.figures.measurement import Measurement
from edgekit.gates.gates import Gate, Status
from edgekit.traits import Fidelity


@dataclass(frozen=True)
class Verdict:
    gates: tuple[Gate, ...]
    measurements: tuple[Measurement, ...]

    @property
    def passed(self) -> bool:
        return all(gate.status is not Status.FAILED for gate in self.gates)

    def to_json(self) -> dict[str, Any]:
        return {
            "gates": [gate.to_json() for gate in self.gates],
            "measurements": [each.to_json() for each in self.measurements],
        }


def verdict_from_json(values: dict[str, Any]) -> Verdict:
    """The inverse of `Verdict.to_json`."""
    return Verdict(
        tuple(Gate(each["name"], Status(each["status"]), each["detail"]) for each in values["gates"]),
        tuple(Measurement(**{**each, "fidelity": Fidelity(each["fidelity"])}) for each in values["measurements"]),
    )
