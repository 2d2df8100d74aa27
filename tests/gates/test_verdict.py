import pytest

from edgekit.gates.gates import Gate, Status
from edgekit.gates.verdict import Verdict

GATES = (Gate("parity", Status.PASSED, "same"), Gate("latency", Status.UNDECIDED, "no prices"))


@pytest.mark.parametrize(
    ("last", "passed"),
    [(Status.PASSED, True), (Status.NOT_RUN, True), (Status.UNDECIDED, True), (Status.FAILED, False)],
)
def test_only_a_failed_gate_fails_a_verdict(last: Status, passed: bool) -> None:
    assert Verdict((*GATES, Gate("size", last, "")), ()).passed is passed
