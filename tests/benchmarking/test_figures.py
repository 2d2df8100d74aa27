from collections.abc import Sequence

import pytest

from edgekit.benchmarking.figures import latency_ratio, run_measurements
from edgekit.figures.measurement import Measurement
from edgekit.runners.runner import Result, Round
from edgekit.traits import Fidelity

RESIDENT = {"imported": 50, "loaded": 70, "ran": 75}


def ran(rounds: Sequence[Round], resident: dict[str, int] | None = None) -> dict[str, Measurement]:
    result = Result([], 80, resident or {}, Fidelity.NATIVE, "onnxruntime 1", [5.0], [2.0], rounds)
    return {one.name: one for one in run_measurements("m", result, 2, 8)}


def test_the_median_lies_where_the_loads_say() -> None:
    found = ran([Round([[9.0, 1.0 + number, 1.0 + number]], 1) for number in range(7)])
    median = found["latency_p50"]
    assert (median.value, median.low, median.high) == (4.0, 1.0, 7.0)
    assert median.detail == "14 runs of 7 loads, after 7 warm-up runs"
    assert (median.threads, median.batch) == (2, 8)
    assert found["latency_max"].value == 7.0, "warm-up is left out"
    assert found["throughput"].value == pytest.approx(8e3 / 4)
    assert (found["load"].value, found["first_inference"].value) == (5.0, 2.0)


def test_few_loads_have_no_interval() -> None:
    median = ran([Round([[1.0, 2.0]], 0)] * 5)["latency_p50"]
    assert (median.low, median.high) == (None, None)
    assert "5 loads, too few for an interval" in median.detail


def test_jitter_is_from_run_to_run_within_a_load() -> None:
    found = ran([Round([[1.0, 2.0, 1.0]], 0), Round([[101.0, 101.0, 101.0]], 0)])
    assert found["jitter"].value == pytest.approx(0.5)
    assert "jitter" not in ran([Round([[1.0]], 0)])


def test_a_ratio_is_of_loads_side_by_side() -> None:
    slower = [Round([[2.0 * number, 2.2 * number]], 0) for number in range(1, 8)]
    base = [Round([[1.0 * number, 1.1 * number]], 0) for number in range(1, 8)]
    results = [Result([], None, {}, Fidelity.NATIVE, "", rounds=each) for each in (slower, base)]
    found = latency_ratio("a", results[0], "b", results[1], 1, 1)
    assert found.value == pytest.approx(2.0) and found.low == pytest.approx(2.0), "the drifting clock met both"
    assert found.detail == "to b, timed in turns"


def test_a_ratio_on_a_disturbed_machine_is_of_cpu_times() -> None:
    slower = [Round([[2.0] * 5], 0, 0.4, [[1.2] * 5])] * 7
    base = [Round([[1.0] * 5], 0, 0.4, [[1.0] * 5])] * 7
    results = [Result([], None, {}, Fidelity.NATIVE, "", rounds=each) for each in (slower, base)]
    found = latency_ratio("a", results[0], "b", results[1], 1, 1)
    assert found.value == pytest.approx(1.2)
    assert found.detail == "to b, timed in turns, by CPU time, because the machine was disturbed"


def test_energy_is_by_the_run_of_a_model_that_was_alone() -> None:
    def told(before: int | None, after: int | None, shared: bool = False) -> list[float]:
        around = {"before": {"energy_uj": before}, "after": {"energy_uj": after}}
        rounds = [Round([[1.0, 2.0]], 1), Round([[1.0, 2.0]], 0)]
        result = Result([], None, {}, Fidelity.DEVICE, "", [5.0], [2.0], rounds, around, shared=shared)
        return [one.value for one in run_measurements("m", result, 1, 1) if one.name == "energy"]

    assert told(1_000, 9_000) == [2.0]
    assert told(None, None) == told(9_000, 1_000) == told(1_000, 9_000, shared=True) == []


def test_memory_is_split_by_what_it_came_with() -> None:
    found = ran([], RESIDENT)
    assert {name: one.value for name, one in found.items()} == {
        "memory_peak": 80,
        "memory_runtime": 50,
        "memory_model": 20,
        "memory_arena": 5,
    }
    assert set(ran([])) == {"memory_peak"}
