"""The verdict on a deployed model: the status of every gate, and the measurements behind them."""

from dataclasses import dataclass

from edgekit.figures.measurement import Measurement
from edgekit.gates.gates import Gate, Status


@dataclass(frozen=True)
class Verdict:
    gates: tuple[Gate, ...]
    measurements: tuple[Measurement, ...]
    disturbed: tuple[str, ...] = ()
    """What disturbed the machine during timing."""

    @property
    def passed(self) -> bool:
        return all(gate.status is not Status.FAILED for gate in self.gates)
