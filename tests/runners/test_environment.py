from typing import Any

import pytest

from edgekit.device.worker import machine_state
from edgekit.runners.environment import disturbances, machine_line
from edgekit.runners.runner import Result, Round
from edgekit.traits import Fidelity

QUIET = {"governor": "performance", "cpus": 2, "all_cpus": 4, "load": 0.1, "stolen_s": 3.0, "celsius": 40.0}
QUIET |= {"clock_khz": 1_800_000, "throttled": 0, "throttle_count": 7, "energy_uj": 5_000}
NOTHING: dict[str, Any] = dict.fromkeys(QUIET)


def timed(after: dict[str, Any], before: dict[str, Any] = QUIET, busy: float = 1.0) -> Result:
    rounds = [Round([[10.0] * 100], 0), Round([[10.0] * 100], 0, busy)]
    values = {"before": before, "after": after}
    return Result([], None, {}, Fidelity.NATIVE, "", rounds=rounds, machine_state=values)


def test_a_quiet_machine_disturbs_nothing() -> None:
    assert not disturbances(timed(QUIET), 2)
    assert not disturbances(timed({**QUIET, "stolen_s": 3.07, "celsius": 49.0}, busy=0.98), 1)
    assert not disturbances(timed(NOTHING, NOTHING), 8), "an unknown value is not a disturbance"


@pytest.mark.parametrize(
    ("result", "threads", "told"),
    [
        (timed(QUIET, busy=0.8), 1, "the runs waited for a CPU during up to 20% of their time"),
        (timed(QUIET), 3, "3 threads on 2 CPUs"),
        (timed({**QUIET, "stolen_s": 3.5}), 1, "the hypervisor took 0.50 s of CPU time (steal time)"),
        (timed({**QUIET, "celsius": 55.0}), 1, "the temperature rose by 15 degrees C"),
        (timed({**QUIET, "throttled": 0x50005}), 1, "the supply voltage is too low, as the board reports"),
        (timed({**QUIET, "throttled": 0x20000}), 1, "the clock is capped, as the board reports"),
        (timed({**QUIET, "throttle_count": 8}), 1, "the CPU throttled its clock because of its temperature"),
    ],
)
def test_what_disturbed_the_timing_is_reported(result: Result, threads: int, told: str) -> None:
    assert told in disturbances(result, threads)


def test_what_a_board_was_before_it_was_timed_is_not_held_against_it() -> None:
    once = {**QUIET, "throttled": 0x50000}
    assert not disturbances(timed(once, once), 1)
    assert disturbances(timed(QUIET, {**QUIET, "throttled": 0x8}), 1) == [
        "the temperature is near its limit, as the board reports"
    ]


def test_the_machine_is_told_in_a_line() -> None:
    result = machine_line(timed(QUIET))
    assert result.startswith(
        "2 of 4 CPUs, load 0.10 before, CPU frequency governor performance, 1,800 MHz after, 40 degrees C"
    )
    assert machine_line(timed(NOTHING, NOTHING)) == "CPU frequency governor unknown"


def test_this_machine_tells_what_it_can() -> None:
    found = machine_state()
    assert found.keys() == QUIET.keys()
    assert all(isinstance(found[name], int | None) for name in ("clock_khz", "throttled", "energy_uj"))
    assert found["all_cpus"] >= found["cpus"] >= 1 and found["load"] >= 0 and found["stolen_s"] >= 0
