from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.builds.build import build
from edgekit.builds.result import Build
from edgekit.figures.ratios import Ratio, ratio_of
from edgekit.gates import speed
from edgekit.gates.gates import Gate, Status
from edgekit.gates.speed import NEVER_SLOWER, SpeedComparison, speed_gate
from edgekit.model.inspection import inspect_model
from edgekit.progress import Silent
from edgekit.project.from_file import file_project
from edgekit.runners.native import NativeRunner
from edgekit.runners.runner import Job, Result, Round
from edgekit.target_files import find_target

STEADY = [10.0] * 20
UNSTEADY = [9.0, 11.0] * 10


def timed(deployed: Sequence[float], floating: Sequence[float]) -> SpeedComparison:
    return SpeedComparison(ratio_of(deployed, floating))


@pytest.mark.parametrize(
    ("deployed", "limit", "status"),
    [
        ([9.9] * 20, None, Status.PASSED),
        ([10.05] * 20, None, Status.PASSED),
        ([10.2] * 20, None, Status.FAILED),
        ([9.5, 10.9] * 10, None, Status.PASSED),
        ([15.0] * 20, 1.5, Status.PASSED),
        ([9.0] * 20, 0.8, Status.FAILED),
    ],
    ids=["faster", "as two sessions of one", "slower", "within the interval", "allowed", "not fast enough"],
)
def test_slower_is_what_lies_above_the_interval(
    built: Build, monkeypatch: pytest.MonkeyPatch, deployed: list[float], limit: float | None, status: Status
) -> None:
    monkeypatch.setattr(speed, "LEAST_MACS", 1)
    gate = speed_gate(built.targets[0].bundle / "model.onnx", limit, timed(deployed, STEADY))
    assert (gate.name, gate.status) == (NEVER_SLOWER, status), gate.detail
    assert f"at most {1 if limit is None else limit:g}" in gate.detail
    if status is Status.FAILED:
        assert "0 operators compute on floats (none), 2 convert between" in gate.detail


def test_times_are_paired_run_by_run(built: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "LEAST_MACS", 1)
    slower = [1.02 * each for each in UNSTEADY]
    gate = speed_gate(built.targets[0].bundle / "model.onnx", None, timed(slower, UNSTEADY))
    assert gate.status is Status.FAILED and gate.detail.startswith("1.020 (1.020 to 1.020) of the float model's time")


def test_what_cannot_be_timed_is_not_run(built: Build) -> None:
    model = built.targets[0].bundle / "model.onnx"
    unknown = speed_gate(model, None, SpeedComparison())
    assert unknown.status is Status.NOT_RUN and "the target is not this machine" in unknown.detail
    crashed = speed_gate(model, None, SpeedComparison(), missing="the runtime died; look")
    assert (crashed.status, crashed.detail) == (Status.NOT_RUN, "the runtime died; look")


def test_a_tiny_network_has_a_warning_if_it_is_slower_and_is_judged_if_a_limit_is_given(built: Build) -> None:
    model = built.targets[0].bundle / "model.onnx"
    slower, same = timed([11.5] * 20, STEADY), timed(STEADY, STEADY)
    gate = speed_gate(model, None, slower)
    assert gate.status is Status.NOT_RUN and "1.150 (1.150 to 1.150) of the float model's time" in gate.warning
    assert gate.detail.startswith("1.150 ") and f"{inspect_model(model).macs:,} multiply-accumulates" in gate.detail
    assert not speed_gate(model, None, same).warning
    assert speed_gate(model, 1.0, slower).status is Status.FAILED and speed_gate(model, 1.0, same).status == "passed"


@pytest.mark.parametrize(("cpu", "warned"), [(Ratio(0.9, 0.89, 0.91), False), (Ratio(1.5, 1.4, 1.6), True)])
def test_times_of_a_disturbed_machine_decide_nothing(
    built: Build, monkeypatch: pytest.MonkeyPatch, cpu: Ratio, warned: bool
) -> None:
    monkeypatch.setattr(speed, "LEAST_MACS", 1)
    model = built.targets[0].bundle / "model.onnx"
    for times in (Ratio(0.5, 0.4, 0.6), Ratio(2.0, 1.9, 2.1)):
        gate = speed_gate(model, None, SpeedComparison(times, cpu), ("the runs waited for a CPU",))
        assert gate.status is Status.UNDECIDED and bool(gate.warning) is warned
        assert f"by CPU time {cpu}" in gate.detail and gate.detail.endswith("disturbed: the runs waited for a CPU")


@pytest.mark.parametrize(("instructions", "warned"), [(0.7, False), (1.1, False), (1.8, True)])
def test_instructions_decide_nothing_and_a_clearly_higher_count_is_a_warning(
    built: Build, instructions: float, warned: bool
) -> None:
    model = built.targets[0].bundle / "model.onnx"
    gate = speed_gate(model, None, SpeedComparison(instructions=instructions))
    assert gate.status is Status.UNDECIDED and bool(gate.warning) is warned
    assert gate.detail.startswith(f"{instructions:.2f} times the float model's instructions (emulated")


@pytest.mark.parametrize(
    ("ratio", "limit", "status"),
    [
        (Ratio(0.6, 0.5, 0.8), None, Status.PASSED),
        (Ratio(0.6, 0.5, 0.8), 0.7, Status.UNDECIDED),
        (Ratio(0.95, 0.8, 1.1), None, Status.UNDECIDED),
        (Ratio(1.05, 1.005, 1.1), None, Status.UNDECIDED),
        (Ratio(1.3, 1.1, 1.5), None, Status.FAILED),
    ],
)
def test_a_prediction_that_reaches_to_both_sides_decides_nothing(
    built: Build, monkeypatch: pytest.MonkeyPatch, ratio: Ratio, limit: float | None, status: Status
) -> None:
    monkeypatch.setattr(speed, "LEAST_MACS", 1)
    model = built.targets[0].bundle / "model.onnx"
    gate = speed_gate(model, limit, SpeedComparison(predicted=ratio, instructions=3.0))
    assert gate.status is status and gate.detail.startswith(f"predicted: {ratio} of the float model's time")


class Timed(NativeRunner):
    """Runs here, and takes as long as is told: by how many operators are on integers, for each millisecond of none."""

    def __init__(self, times: dict[int, float]) -> None:
        super().__init__()
        self.times = times

    def run(self, job: Job) -> Result:
        counts = [inspect_model(path).integer_operators for path in job.models]
        taken = [[self.times[count]] * 20 for count in counts] if job.seconds else []
        return replace(super().run(replace(job, seconds=0.0)), rounds=[Round(taken, 0)] if taken else [])


def built_so(
    model: Path, samples: Path, times: dict[int, float], monkeypatch: pytest.MonkeyPatch, recipe: str | None = None
) -> Build:
    monkeypatch.setattr(speed, "LEAST_MACS", 1)
    monkeypatch.setattr("edgekit.builds.builder.runner_for", lambda _: Timed(times))
    project = file_project(model, str(samples), metric="cosine", recipe=recipe)
    return build(project, [find_target("x86-avx2")], Silent())


def gate_of(done: Build) -> Gate | None:
    return next((gate for gate in done.targets[0].verdict.gates if gate.name == NEVER_SLOWER), None)


def test_where_integers_are_slower_floats_are_deployed(
    conv_model: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = built_so(conv_model, images, {0: 1.0, 2: 1.2, 3: 1.4}, monkeypatch)
    (target,) = done.targets
    assert target.recipe == "float" and gate_of(done) is None
    assert [(one.recipe, one.gate) for one in target.rejected_recipes] == [
        ("int8", NEVER_SLOWER), ("int8-conv-matmul", NEVER_SLOWER),
    ]  # fmt: skip
    assert target.rejected_recipes[0].why.startswith("never-slower: 1.400 (1.400 to 1.400) of the float model's time")
    assert done.passes(strict=False) and not done.passes(strict=True)


def test_a_recipe_that_is_fast_enough_stands_in(
    conv_model: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = built_so(conv_model, images, {0: 1.0, 2: 0.8, 3: 1.4}, monkeypatch)
    gate = gate_of(done)
    assert done.targets[0].recipe == "int8-conv-matmul" and gate is not None and gate.status is Status.PASSED
    assert done.passes(strict=True), [each.to_json() for each in done.targets[0].verdict.gates]


def test_integers_that_were_asked_for_by_name_stay_and_fail(
    conv_model: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = built_so(conv_model, images, {0: 1.0, 3: 1.4}, monkeypatch, recipe="int8")
    gate = gate_of(done)
    assert done.targets[0].recipe == "int8" and gate is not None and gate.status is Status.FAILED
    assert not done.passes(strict=False)


def test_a_strict_build_asks_for_every_gate_but_this(built: Build) -> None:
    def strict(name: str) -> bool:
        gates = (Gate("drop", Status.PASSED, ""), Gate(name, Status.NOT_RUN, ""))
        only = replace(built.targets[0], verdict=replace(built.targets[0].verdict, gates=gates))
        return replace(built, targets=(only,)).passes(strict=True)

    assert strict(NEVER_SLOWER) and not strict("parity")
