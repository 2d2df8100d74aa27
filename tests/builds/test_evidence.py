import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.builds.build import build
from edgekit.builds.evidence import Evidence, evidence_from_json
from edgekit.builds.result import Build, TargetBuild
from edgekit.call_options import BuildOptions
from edgekit.figures.measurement import Measurement
from edgekit.figures.ratios import Ratio
from edgekit.gates import speed
from edgekit.gates.gates import Gate, Status
from edgekit.gates.speed import SpeedComparison
from edgekit.progress import Silent
from edgekit.project.from_file import file_project
from edgekit.project.project import Project
from edgekit.report.builds import build_json, build_report
from edgekit.runners.native import NativeRunner
from edgekit.runners.runner import Job, Result, Round
from edgekit.target import Budgets, Target
from edgekit.target_files import find_target
from edgekit.traits import Fidelity
from tests.report.rendered import rendered

AVX2 = find_target("x86-avx2")


def test_evidence_survives_json() -> None:
    measurements = (
        Measurement("deployed", "metric", 98.3, "%", Fidelity.EMULATED, "the whole split"),
        Measurement("deployed", "latency_predicted", 0.3, "ms", Fidelity.PREDICTED, "", 0.2, 0.6, 1, 1, 0.0),
    )
    speeds = SpeedComparison(Ratio(0.5, 0.4, 0.6), None, Ratio(1, 1, 1), 1.8)
    found = Evidence(measurements, Gate("parity", Status.UNDECIDED, "why"), speeds, "a", "b", ("busy",))
    assert evidence_from_json({**json.loads(json.dumps(found.to_json())), "files": {}}) == found


class Timed(NativeRunner):
    """Runs here, and takes as long as is told."""

    busy = 1.0

    def run(self, job: Job) -> Result:
        times = [[1.0 + number] * 20 for number, _ in enumerate(job.models)]
        rounds = [Round(times, 0, self.busy, times)] if job.seconds else []
        return replace(super().run(replace(job, seconds=0.0)), rounds=rounds)


class Heard(Silent):
    def __init__(self) -> None:
        self.verified = 0

    def note(self, text: str) -> None:
        self.verified += text.startswith("verifying on")


@pytest.fixture
def project(conv_model: Path, images: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setattr(speed, "LEAST_MACS", 1)
    monkeypatch.setattr("edgekit.builds.builder.runner_for", lambda _: Timed())
    return file_project(conv_model, str(images), metric="cosine", recipe="int8")


def built(project: Project, target: Target = AVX2, *, again: bool = False) -> tuple[Build, TargetBuild, int]:
    heard = Heard()
    done = build(project, [target], heard, BuildOptions(again=again))
    return done, done.targets[0], heard.verified


def test_a_changed_limit_is_judged_on_the_same_evidence(project: Project) -> None:
    _, done, verified = built(project)
    assert verified == 1 and done.verdict.passed
    strict = project.copy_with(budgets=Budgets(max_latency_ms=0.5, max_bytes=10))
    _, done, verified = built(strict)
    assert verified == 0
    failed = [gate.name for gate in done.verdict.gates if gate.status is Status.FAILED]
    assert failed == ["size", "latency"]
    for changed in ({"ram_bytes": 10}, {"system_bytes": 3}, {"budgets": Budgets(max_bytes=9)}, {"other_runtimes": ()}):
        assert built(project, AVX2.copy_with(**changed))[2] == 0
    assert built(project, AVX2.copy_with(clock_hz=10**9))[2] == 1


def test_times_are_measured_again_on_request(project: Project) -> None:
    assert [built(project)[2], built(project)[2], built(project, again=True)[2], built(project)[2]] == [1, 0, 1, 0]


def test_times_of_a_disturbed_machine_are_reported_and_not_kept(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Timed, "busy", 0.4)
    project = project.copy_with(budgets=Budgets(max_latency_ms=5))
    for _ in range(2):
        whole, done, verified = built(project)
        assert verified == 1
        gates = {gate.name: gate.status for gate in done.verdict.gates}
        assert gates["never-slower"] is gates["latency"] is Status.UNDECIDED
    why = "the runs waited for a CPU during up to 60% of their time"
    (target,) = json.loads(build_json(whole))["targets"]
    assert target["disturbed"] == [why] == json.loads((done.bundle / "manifest.json").read_text())["disturbed"]
    latency = next(each for each in target["measurements"] if each["name"] == "latency_p99")
    assert latency["detail"] == f"1 thread, batch 1; the machine was disturbed: {why}"
    assert f"disturbed: x86-avx2: {why}" in " ".join(rendered(*build_report(whole)).split())
    monkeypatch.setattr(Timed, "busy", 1.0)
    _, done, verified = built(project)
    assert verified == 1 and not done.verdict.disturbed
    assert {gate.name: gate.status for gate in done.verdict.gates}["never-slower"] is Status.PASSED
