import shutil
from pathlib import Path

import pytest

from edgekit.builds.result import Build
from edgekit.builds.verify import EvaluatedModel, EvaluatedModels, merge_budgets, verify
from edgekit.data.split import Split
from edgekit.errors import EmulatorError
from edgekit.gates.verdict import Verdict
from edgekit.host import this_host
from edgekit.project.project import Project
from edgekit.target import Budgets, find_target
from edgekit.traits import Data, Fidelity


def candidates(path: Path, metric: float, chance: float | None) -> EvaluatedModels:
    return EvaluatedModels(
        EvaluatedModel("deployed", path, metric, chance),
        EvaluatedModel("float student", path, 90.5, chance),
        EvaluatedModel("reference", path, 91.0, chance),
    )


def judged(
    project: Project, built: Build, tmp_path: Path, metric: float = 90.0, chance: float | None = None, **budgets: float
) -> Verdict:
    """The verdict on the tiny project's fused model, without a runner."""
    model = built.targets[0].bundle / "model.onnx"
    wanted = project.copy_with(budgets=Budgets(**budgets))
    reason = EmulatorError("the emulator for rpi4 is not set up", "edgekit setup rpi4")
    split = Split(wanted, Data.EVALUATION)
    return verify(
        wanted, split, find_target("rpi4"), candidates(model, metric, chance), reason, tmp_path / "golden.npz"
    )


def status(verdict: Verdict) -> dict[str, str]:
    return {gate.name: gate.status.value for gate in verdict.gates}


def test_a_gate_that_could_not_run_never_passes(tiny: Project, built: Build, tmp_path: Path) -> None:
    verdict = judged(tiny, built, tmp_path, max_latency_ms=5, max_memory_bytes=10)
    assert status(verdict) == {"parity": "not_run", "memory": "not_run", "latency": "not_run"}
    assert all("edgekit setup rpi4" in gate.detail for gate in verdict.gates)
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
def test_a_budget_is_judged(
    tiny: Project, built: Build, tmp_path: Path, budgets: dict[str, float], name: str, expected: str
) -> None:
    assert status(judged(tiny, built, tmp_path, **budgets))[name] == expected


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
    tiny: Project, built: Build, tmp_path: Path, budgets: dict[str, float], name: str, expected: str
) -> None:
    verdict = judged(tiny, built, tmp_path, chance=91.0, **budgets)
    assert status(verdict)[name] == expected
    value = next(gate.detail for gate in verdict.gates if gate.name == name)
    assert ("is not above chance level, 91.00" in value) == (expected == "not_run")
    assert status(judged(tiny, built, tmp_path, chance=89.0, **budgets))[name] != "not_run"


def test_a_gate_that_is_not_asked_for_is_not_there(tiny: Project, built: Build, tmp_path: Path) -> None:
    assert set(status(judged(tiny, built, tmp_path))) == {"parity", "memory"}


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


def test_budgets_of_the_project_win() -> None:
    both = merge_budgets(Budgets(max_bytes=5, max_drop=2.0), Budgets(max_drop=1.0))
    assert (both.max_bytes, both.max_drop) == (5, 1.0)
