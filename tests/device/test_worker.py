"""The worker as a board runs it: one file, a folder, nothing of edgekit on the path."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgekit.device import worker
from edgekit.device.worker import as_array, interval, is_precise, middle, rounds, stack_feeds, warm_up
from edgekit.runners.runner import WORKER, opener_of
from edgekit.runtimes.ort import host_outputs
from edgekit.target_files import find_target


def test_it_runs_from_anywhere_and_leaves_what_it_saw(conv_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "job"
    folder.mkdir()
    shutil.copy(WORKER, tmp_path / "pushed.py")
    runtime = find_target("rpi4").runtime
    shutil.copy(opener_of(runtime), folder)
    shutil.copy(conv_model, folder / "m.onnx")
    x = np.random.default_rng(0).standard_normal((3, 3, 6, 6)).astype(np.float32)
    np.savez(folder / "inputs.npz", x[:, None])
    (folder / "job.json").write_text(
        json.dumps(
            {
                "runtimes": [
                    {
                        "name": runtime.name,
                        "module": runtime.spec.module,
                        "opener": opener_of(runtime).name,
                        "floats": "f32",
                    }
                ],
                "models": ["m.onnx"],
                "inputs": ["inputs.npz"],
                "threads": 1,
                "seconds": 0.05,
                "rounds": 2,
                "least_runs": 20,
                "most_runs": 30,
                "precision": None,
                "profile": 3,
                "count": False,
            }
        )
    )
    command = [sys.executable, str(tmp_path / "pushed.py"), str(folder)]
    done = subprocess.run(command, input="\n\n\n", capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == "imported\nloaded\nran\ndone\n"
    data = json.loads((folder / "result.json").read_text())
    for each in data["rounds"]:
        assert 20 <= len(each["latencies_ms"][0]) <= 30 and 0 <= each["warm_up"] <= 15
    assert len(data["rounds"]) == 2 and len(data["load_ms"]) == len(data["first_ms"]) == 1
    assert data["peak_memory"] >= data["resident"]["ran"] >= data["resident"]["imported"] > 0
    with np.load(folder / "outputs_0.npz") as stored:
        assert np.allclose(stored["arr_0"][:, 0], host_outputs(conv_model, (x,))[0], atol=1e-5)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (np.float32(2.0), 2.0),
        (np.array(["a", "bc"], object), ["a", "bc"]),
        ([{2: 0.25, 1: 0.75}, {1: 0.5, 2: 0.5}], [0.75, 0.25, 0.5, 0.5]),
        ([np.ones((2, 2)), np.zeros(1)], [1.0, 1.0, 1.0, 1.0, 0.0]),
        ([], []),
        (None, []),
    ],
)
def test_whatever_the_runtime_gives_becomes_an_array(value: object, told: object) -> None:
    array = as_array(np, value)
    assert array.dtype != object and array.tolist() == told


def test_outputs_of_other_lengths_come_in_a_row() -> None:
    assert stack_feeds(np, [np.zeros((2, 1)), np.ones((2, 1))]).shape == (2, 2, 1)
    assert stack_feeds(np, [np.zeros((2, 1)), np.ones((1, 1))]).tolist() == [0.0, 0.0, 1.0]


def test_the_runs_before_the_steady_state_are_found() -> None:
    random = np.random.default_rng(0)
    steady = 1 + 0.01 * random.standard_normal(1000)
    for count in (0, 5, 20, 150):
        slower = 1 + 0.5 * np.exp(-np.arange(count) / max(count / 3, 1))
        found = warm_up([*slower, *steady])
        assert count / 2 <= found <= count + 50, (count, found)


def test_what_never_gets_steady_loses_half_at_most() -> None:
    assert warm_up(list(np.linspace(3, 1, 200))) == 100
    assert warm_up(list(np.linspace(3, 1, 7))) == 3
    assert warm_up([1.0]) == warm_up([]) == 0


def test_one_run_that_the_system_held_up_moves_no_warm_up() -> None:
    times = [1.0 + 0.01 * (i % 7) for i in range(400)]
    before = warm_up(times)
    times[150] = 100.0
    assert warm_up(times) == before


@pytest.mark.parametrize("count", [6, 7, 8, 9, 10, 11, 15, 40, 1000])
def test_an_interval_holds_the_median_as_often_as_it_says(count: int) -> None:
    random = np.random.default_rng(count)
    held = 0
    for _ in range(600):
        low, high = interval(list(random.lognormal(0, 1, count))) or (1.0, 1.0)
        held += low <= 1 <= high
    assert held / 600 > 0.93


def test_few_values_have_no_interval() -> None:
    assert interval([1.0] * 5) is None and interval([1.0] * 6) == (1.0, 1.0)
    assert middle([3.0, 1.0]) == 2.0 and middle([3.0, 1.0, 2.5]) == 2.5


class Slow:
    """A model that takes as long as the clock says."""

    def __init__(self) -> None:
        self.runs = 0

    def get_inputs(self) -> list[object]:
        return []

    def run(self, names: object, given: object) -> None:
        self.runs += 1


def test_rounds_end_when_the_medians_are_known() -> None:
    loads = []

    def load() -> list[Slow]:
        loads.append(1)
        return [Slow()]

    job = {"runtimes": [], "seconds": 0.01, "rounds": 10, "least_runs": 3, "most_runs": 3, "precision": 1000.0}
    found = rounds([Slow()], load, [[]], job)
    assert len(found) == 8 and len(loads) == 7, "fewer do not do"
    assert len(rounds([Slow()], load, [[]], {**job, "precision": None, "seconds": 5.0})) == 10


def test_a_cpu_clock_that_stands_still_gives_no_cpu_times(monkeypatch: pytest.MonkeyPatch) -> None:
    job = {"runtimes": [], "seconds": 0.01, "rounds": 1, "least_runs": 3, "most_runs": 3, "precision": None}
    ticks = iter(range(1_000_000))
    monkeypatch.setattr("time.process_time_ns", lambda: next(ticks) * 1_000_000)
    assert rounds([Slow()], lambda: [Slow()], [[]], job)[0]["cpu_ms"] == [[1.0] * 3]
    stands = iter([0, 5, 5, 5, 5, 9])
    monkeypatch.setattr("time.process_time_ns", lambda: next(stands))
    found = rounds([Slow()], lambda: [Slow()], [[]], job)[0]
    assert found["cpu_ms"] == [] and len(found["latencies_ms"][0]) == 3


def test_every_models_median_must_be_known() -> None:
    steady = {"latencies_ms": [[1.0] * 4, [1.0] * 4], "warm_up": 0}
    found = [steady] * 8
    assert is_precise(found, 0.01) and not is_precise(found[:7], 0.01)
    apart = [{**steady, "latencies_ms": [[1.0] * 4, [1.0 + number] * 4]} for number in range(8)]
    assert not is_precise(apart, 0.01)
    warming = [{"latencies_ms": [[50.0 * number, 1.0, 1.0]], "warm_up": 1} for number in range(8)]
    assert is_precise(warming, 0.01), "what is left out does not count"


class Clock:
    """Time that only models spend."""

    def __init__(self) -> None:
        self.now = 0

    def perf_counter_ns(self) -> int:
        return self.now

    def process_time_ns(self) -> int:
        return self.now

    def perf_counter(self) -> float:
        return self.now / 1e9


class Disturbed(Slow):
    """A model that takes three times as long for a while after another one ran, at least in its first run."""

    latest: "Disturbed | None" = None
    since = 0

    def __init__(self, clock: Clock, steady_ns: int) -> None:
        super().__init__()
        self.clock, self.steady_ns = clock, steady_ns

    def run(self, names: object, given: object) -> None:
        super().run(names, given)
        if is_first := Disturbed.latest is not self:
            Disturbed.latest, Disturbed.since = self, self.clock.now
        is_disturbed = is_first or self.clock.now < Disturbed.since + 500_000
        self.clock.now += self.steady_ns * (3 if is_disturbed else 1)


@pytest.mark.parametrize("steady_ns", [10_000, 300_000, 5_000_000])
def test_the_first_runs_after_another_runtime_are_dropped(steady_ns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(worker, "time", clock)
    models = [Disturbed(clock, steady_ns), Disturbed(clock, 2 * steady_ns)]
    taken, used = worker.run_in_turns(models, [[], []], 0.0, 40, None, worker.TURN)
    assert taken == used == [[steady_ns / 1e6] * 40, [2 * steady_ns / 1e6] * 40]


def test_models_of_one_runtime_take_turns_of_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(worker, "time", clock)
    models = [Disturbed(clock, 1000), Disturbed(clock, 1000)]
    taken, _ = worker.run_in_turns(models, [[], []], 0.0, 7, None)
    assert [len(each) for each in taken] == [7, 7] and all(each.runs == 7 for each in models)
