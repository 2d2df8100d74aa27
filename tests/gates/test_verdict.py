import json

import pytest

from edgekit.figures.measurement import Measurement
from edgekit.gates.gates import Gate, Status
from edgekit.gates.verdict import Verdict, verdict_from_json
from edgekit.traits import Fidelity

GATES = (Gate("parity", Status.PASSED, "same"), Gate("latency", Status.UNDECIDED, "no prices"))
MEASUREMENTS = (
    Measurement("deployed", "metric", 98.3, "%", Fidelity.EMULATED, "the whole split"),
    Measurement("deployed", "latency_predicted", 0.3, "ms", Fidelity.PREDICTED, "", 0.2, 0.6, 1, 1, 0.0),
)


def test_a_verdict_survives_json() -> None:
    verdict = Verdict(GATES, MEASUREMENTS)
    assert verdict_from_json(json.loads(json.dumps(verdict.to_json()))) == verdict


@pytest.mark.parametrize(
    ("last", "passed"),
    [(Status.PASSED, True), (Status.NOT_RUN, True), (Status.UNDECIDED, True), (Status.FAILED, False)],
)
def test_only_a_failed_gate_fails_a_verdict(last: Status, passed: bool) -> None:
    assert Verdict((*GATES, Gate("size", last, "")), ()).passed is passed
