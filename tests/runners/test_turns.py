import pytest

from edgekit.runners.runner import Result, Round
from edgekit.runners.turns import turn_ratios
from edgekit.traits import Fidelity

WALL, CPU = [[10.0] * 20, [20.0] * 20, [5.0] * 20], [[1.0] * 20, [1.1] * 20, [0.9] * 20]


def timed(busy: float, cpu: list[list[float]] = CPU) -> Result:
    return Result([], None, {}, Fidelity.NATIVE, "", rounds=[Round(WALL, 0, busy, cpu)])


def test_on_a_quiet_machine_latencies_are_compared() -> None:
    found = turn_ratios(timed(1.0), 1)
    assert [each.median for each in found.ratios] == [2.0, 0.5] and not found.disturbed and not found.how


def test_on_a_disturbed_machine_cpu_times_are_compared() -> None:
    found = turn_ratios(timed(0.5), 1)
    assert [each.median for each in found.ratios] == pytest.approx([1.1, 0.9])
    assert found.how.startswith("by CPU time, because the machine was disturbed: the runs waited for a CPU")


def test_without_cpu_times_latencies_are_compared() -> None:
    found = turn_ratios(timed(0.5, []), 1)
    assert [each.median for each in found.ratios] == [2.0, 0.5]
    assert found.how.startswith("the machine was disturbed: the runs waited for a CPU")


def test_cpu_times_of_some_rounds_are_none() -> None:
    rounds = [Round(WALL, 0, 0.5, CPU), Round(WALL, 0, 0.5, [])]
    result = Result([], None, {}, Fidelity.NATIVE, "", rounds=rounds)
    assert result.cpu_ms == [] and not turn_ratios(result, 1).by_cpu


def test_without_times_there_is_no_ratio() -> None:
    with pytest.raises(ValueError, match="nothing was timed"):
        turn_ratios(Result([], None, {}, Fidelity.EMULATED, ""), 1)
