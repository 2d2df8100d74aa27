import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.builds.evidence import EvaluatedModel, EvaluatedModels, Evidence
from edgekit.builds.result import Build
from edgekit.builds.verify import metric_gates, verify
from edgekit.figures.measurement import Measurement, static_measurements
from edgekit.gates.gates import Gate, Status
from edgekit.gates.speed import SpeedComparison
from edgekit.gates.verdict import Verdict
from edgekit.host import this_host
from edgekit.project.project import Project
from edgekit.target import Budgets
from edgekit.target_files import find_target
from edgekit.traits import Fidelity


def candidates(path: Path, metric: float, chance: float | None) -> EvaluatedModels:
    return EvaluatedModels(
        EvaluatedModel("deployed", path, metric, chance),
        EvaluatedModel("float student", path, 90.5, chance),
        EvaluatedModel("reference", path, 91.0, chance),
    )


def judged(
    project: Project,
    built: Build,
    metric: float = 90.0,
    chance: float | None = None,
    emulated: float | None = None,
    **budgets: float,
) -> Verdict:
    """The verdict on the tiny project's fused model, without a runner or with its metric under emulation."""
    models = candidates(built.targets[0].bundle / "model.onnx", metric, chance)
    missing = "the emulator for rpi4 is not set up; edgekit setup rpi4"
    values = {Fidelity.NATIVE: metric, Fidelity.EMULATED: emulated}
    measurements = (
        *static_measurements("deployed", models.deployed.path),
        *(Measurement("deployed", "metric", value, "%", how) for how, value in values.items() if value is not None),
    )
    evidence = Evidence(measurements, Gate("parity", Status.NOT_RUN, missing), SpeedComparison(), missing)
    return verify(project.copy_with(budgets=Budgets(**budgets)), find_target("rpi4"), models, evidence)


def status(verdict: Verdict) -> dict[str, str]:
    return {gate.name: gate.status.value for gate in verdict.gates}


def test_a_gate_that_could_not_run_never_passes(tiny: Project, built: Build) -> None:
    verdict = judged(tiny, built, max_latency_ms=5, max_memory_bytes=10)
    assert status(verdict) == {"parity": "not_run", "drop": "passed", "memory": "not_run", "latency": "not_run"}
    assert all("edgekit setup rpi4" in gate.detail for gate in verdict.gates if gate.status is Status.NOT_RUN)
    assert verdict.passed, "not run is not failed either"


@pytest.mark.parametrize(
    ("budgets", "name", "expected"),
    [
        ({"max_drop": 1.0}, "drop", "passed"),
        ({"max_drop": 0.5}, "drop", "failed"),
        ({"min_metric": 90.0}, "metric", "passed"),
        ({"min_metric": 90.1}, "metric", "failed"),
        ({"max_bytes": 10}, "size", "failed"),
        ({"max_bytes": 10_000_000}, "size", "passed"),
    ],
)
def test_a_budget_is_judged(tiny: Project, built: Build, budgets: dict[str, float], name: str, expected: str) -> None:
    assert status(judged(tiny, built, **budgets))[name] == expected


@pytest.mark.parametrize(
    ("budgets", "name", "expected"),
    [
        ({"max_drop": 1.0}, "drop", "not_run"),
        ({"max_drop": 0.5}, "drop", "failed"),
        ({"min_metric": 90.0}, "metric", "not_run"),
        ({"min_metric": 90.1}, "metric", "failed"),
    ],
)
def test_a_metric_no_better_than_chance_never_passes(
    tiny: Project, built: Build, budgets: dict[str, float], name: str, expected: str
) -> None:
    verdict = judged(tiny, built, chance=91.0, **budgets)
    assert status(verdict)[name] == expected
    value = next(gate.detail for gate in verdict.gates if gate.name == name)
    assert ("is not above chance level, 91.00" in value) == (expected == "not_run")
    assert status(judged(tiny, built, chance=89.0, **budgets))[name] != "not_run"


def test_without_budgets_the_metric_may_fall_by_its_default(tiny: Project, built: Build) -> None:
    assert status(judged(tiny, built))["drop"] == "passed"
    assert status(judged(tiny, built, metric=89.9))["drop"] == "failed"
    assert "drop" not in status(judged(tiny, built, metric=20.0, min_metric=10.0))


def test_a_metric_of_ones_own_has_no_default_and_its_drop_is_not_run(tiny: Project, built: Build) -> None:
    own = tiny.copy_with(metric="score:r2")
    gate = next(each for each in judged(own, built, metric=20.0).gates if each.name == "drop")
    assert gate.status is Status.NOT_RUN
    assert "71 lost" in gate.detail and "set max_drop in [budgets]" in gate.detail
    assert status(judged(own, built, metric=20.0, max_drop=1.0))["drop"] == "failed"


def test_a_rise_of_the_metric_is_a_gain(tiny: Project, built: Build) -> None:
    gate = next(each for each in judged(tiny, built, metric=92.12).gates if each.name == "drop")
    assert gate.detail == "92.12 % against 91.00: 1.12 gained, allowed 1"


@pytest.mark.parametrize(("emulated", "expected"), [(79.35, "failed"), (79.6, "passed"), (None, "passed")])
def test_the_figure_of_the_targets_cpu_decides(
    tiny: Project, built: Build, emulated: float | None, expected: str
) -> None:
    verdict = judged(tiny, built, metric=79.77, emulated=emulated, min_metric=79.5, max_drop=12.0)
    assert status(verdict)["metric"] == expected
    drop = next(each.detail for each in verdict.gates if each.name == "drop")
    if emulated:
        assert drop.startswith(f"{emulated:.2f} % (emulated) against 91.00 (native): {91 - emulated:.2f} lost")
    else:
        assert drop.startswith("79.77 % against 91.00: 11.23 lost")


def test_on_the_target_the_outputs_are_those_of_this_machine(built: Build) -> None:
    rpi4 = built.targets[0]
    for each in built.targets:
        can_run = each.target.cpu or each.target.is_this(this_host())
        expected = "passed" if can_run else "not_run"
        assert status(each.verdict)["parity"] == expected, [gate.detail for gate in each.verdict.gates]
    metrics = {(one.model, one.fidelity): one.value for one in rpi4.verdict.measurements if one.name == "metric"}
    assert metrics["deployed", Fidelity.EMULATED] == metrics["deployed", Fidelity.NATIVE]


def test_latency_is_native_or_predicted(built: Build) -> None:
    rpi4, vnni = built.targets
    items = [one for one in rpi4.verdict.measurements if one.name.startswith("latency")]
    assert [(one.name, one.model, one.fidelity) for one in items] == (
        [("latency_predicted", "deployed", Fidelity.PREDICTED)] if shutil.which("cc") else []
    )
    assert not [one for one in rpi4.verdict.measurements if one.fidelity is Fidelity.EMULATED and one.unit == "ms"]
    native = [one for one in vnni.verdict.measurements if one.name == "latency_p50"]
    assert len(native) == (2 if vnni.target.is_this(this_host()) else 0), "the deployed model and the float student"
    assert all(one.fidelity is Fidelity.NATIVE for one in native)


def test_a_failed_drop_names_the_step_that_lost_most(tiny: Project, built: Build) -> None:
    models = candidates(built.targets[0].bundle / "model.onnx", 80.0, None)
    stages = (("step 2 distill", 90.0), ("step 3 prune", 82.5), ("step 5 export", 82.5), ("step 7 quantize", 80.0))
    for allowed, end in ((1, "; step 3 prune lost most, 7.50"), (20, "")):
        project = tiny.copy_with(budgets=Budgets(max_drop=allowed))
        (drop,) = metric_gates(project, find_target("rpi4"), replace(models, stages=stages))
        assert drop.detail.endswith(f"11.00 lost, allowed {allowed}{end}")
    assert replace(models, stages=()).largest_loss() is None
    assert replace(models, stages=(("step 1 distill", 99.0), ("step 2 export", 99.0))).largest_loss() is None
