"""A study's results as evidence: a plan judged by what was measured on the project's own model."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.errors import EvidenceError, first_line
from edgekit.planning.interactions import RULES, Evidence, Severity, Verdict
from edgekit.planning.lint import Finding, Judgement
from edgekit.planning.plan import PlannedStep
from edgekit.project.project import Project
from edgekit.study.intervals import Interval
from edgekit.traits import Data, Role

SCHEMA = 1
LOSS = 1.0
"""Points that make a measured loss poor, an error; for a metric that is no accuracy, as many per cent of its mean."""


@dataclass(frozen=True)
class Ordered:
    """Two steps in one order against the other, at the same compression."""

    first: Mapping[str, Any]
    """`use`, `role`, `options`."""
    then: Mapping[str, Any]
    points: Interval
    """By which this order is better, in the metric's unit."""
    verdict: Verdict


@dataclass(frozen=True)
class Ablated:
    """A recipe with and without one step."""

    step: Mapping[str, Any]
    points: Interval
    """What the step adds to the metric."""
    bytes_with: int
    bytes_without: int
    latency_ratio: float | None
    """With over without, native; None where this machine is not the target."""

    @property
    def is_worth_it(self) -> bool:
        """Whether the metric or the file is better by the step."""
        return self.points.is_above_zero or self.bytes_with < self.bytes_without


@dataclass(frozen=True)
class Study:
    path: str
    seeds: int
    unit: str
    orders: tuple[Ordered, ...]
    ablations: tuple[Ablated, ...]


def subject_of(project: Project) -> dict[str, str]:
    """What a study is about: the digests of the models and of the data that judges them."""
    entries = {role.value: project.model_entry(role) for role in sorted(project.roles)}
    told = {name: project.entry_digest(entry) for name, entry in entries.items() if entry}
    return {**told, "evaluation": project.entry_digest(project.data_entry(Data.EVALUATION)), "metric": project.metric}


def verdict_of(points: Interval, unit: str, scale: float) -> Verdict:
    """Poor where the whole interval is below zero and the loss is large; good where it is above; else moderate.

    `scale` is the metric's mean, for units in which a point means nothing.
    """
    loss = LOSS if unit == "%" else LOSS / 100 * abs(scale)
    if points.is_below_zero and points.mean <= -loss:
        return Verdict.POOR
    return Verdict.GOOD if points.is_above_zero else Verdict.MODERATE


def load_study(path: Path, project: Project) -> Study:
    """The results in a file that `edgekit study` wrote. Raises EvidenceError where it cannot be read, is damaged, or is
    about another model."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["schema"] != SCHEMA:
            raise EvidenceError(f"{path} has schema {told['schema']}, not {SCHEMA}", "run edgekit study again")
        subject = dict(told["subject"])
        study = Study(
            str(path),
            len(told["seeds"]),
            str(told["unit"]),
            tuple(
                Ordered(_step(one["first"]), _step(one["then"]), Interval(**one["points"]), Verdict(one["verdict"]))
                for one in told["orders"]
            ),
            tuple(
                Ablated(
                    _step(one["step"]),
                    Interval(**one["points"]),
                    int(one["bytes_with"]),
                    int(one["bytes_without"]),
                    one["latency_ratio"],
                )
                for one in told["ablations"]
            ),
        )
    except OSError as fault:
        raise EvidenceError(
            f"{path} cannot be read: {fault.strerror}", "name the file that edgekit study wrote"
        ) from fault
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise EvidenceError(
            f"{path} is no study: {first_line(fault)}", "name the file that edgekit study wrote"
        ) from fault
    apart = sorted(name for name, digest in subject_of(project).items() if subject.get(name) != digest)
    if apart:
        raise EvidenceError(
            f"{path} measured another model: its {' and '.join(apart)} {'differ' if len(apart) > 1 else 'differs'}",
            "run edgekit study again in this project, or plan without --evidence",
        )
    return study


def judged_by(judgement: Judgement, study: Study) -> Judgement:
    """The judgement with the measured pairs judged by the measurement instead of by the table."""
    findings, sound = list(judgement.findings), list(judgement.sound)
    steps = judgement.walked.steps
    for then in steps:
        for first in sorted({*judgement.walked.line(then.index), *judgement.walked.joined_line(then.index)}):
            measured = _measured(study.orders, steps[first], then)
            if measured is None:
                continue
            about = [each for each in (*findings, *sound) if {each.step, each.other} == {first, then.index}]
            findings = [each for each in findings if each not in about or not each.can_be_allowed]
            sound = [each for each in sound if each not in about]
            told = _ordered_finding(study, measured, steps[first], then, about)
            (sound if measured.verdict is Verdict.GOOD else findings).append(told)
    for each in steps:
        ablated = next((one for one in study.ablations if _is_alike(one.step, each)), None)
        if ablated is not None and not ablated.is_worth_it:
            findings.append(_ablated_finding(study, ablated, each))
    order = list(Severity)
    findings.sort(key=lambda each: (order.index(each.severity), each.step if each.step is not None else 99, each.code))
    return judgement.changed(findings=tuple(findings), sound=tuple(sound))


def _step(told: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"use": str(told["use"]), "role": str(told["role"]), "options": dict(told["options"])}


def _measured(orders: Sequence[Ordered], first: PlannedStep, then: PlannedStep) -> Ordered | None:
    """The measurement of this order, or of the other one, turned round."""
    for one in orders:
        if _is_alike(one.first, first) and _is_alike(one.then, then):
            return one
    return None


def _is_alike(told: Mapping[str, Any], planned: PlannedStep) -> bool:
    """Whether a measured step is the planned one, but for how long and how fast it trains."""
    role = planned.role if planned.role is not Role.REFERENCE else Role.STUDENT
    if told["use"] != planned.step.name() or told["role"] != role.value:
        return False
    training = {"epochs", "learning_rate", "weight_decay"}
    own = planned.step.options()
    same = all(told["options"].get(name) == value for name, value in own.items() if name not in training)
    return same and bool(told["options"].get("epochs")) == bool(own.get("epochs"))


def _ordered_finding(
    study: Study, measured: Ordered, first: PlannedStep, then: PlannedStep, about: Sequence[Finding]
) -> Finding:
    title = {
        Verdict.POOR: "this order loses on your model",
        Verdict.MODERATE: "no large difference between the orders on your model",
        Verdict.GOOD: "the better order on your model",
    }[measured.verdict]
    shipped = min(about, key=lambda each: list(Severity).index(each.severity), default=None)
    names = f"step {first.index + 1} {first.label} and step {then.index + 1} {then.label}"
    return Finding(
        code=shipped.code if shipped else "EK190",
        severity=Severity.ERROR if measured.verdict is Verdict.POOR else Severity.INFO,
        verdict=measured.verdict,
        title=title,
        step=first.index,
        other=then.index,
        message=f"{names}: {title}",
        why=shipped.why if shipped else RULES["EK190"].why,
        fix=RULES["EK190"].fix if measured.verdict is Verdict.POOR else "",
        evidence=(
            _evidence(study, measured.points, "this order against the other"),
            *(shipped.evidence if shipped else ()),
        ),
        remedy=shipped.remedy if shipped else None,
    )


def _ablated_finding(study: Study, ablated: Ablated, each: PlannedStep) -> Finding:
    rule = RULES["EK191"]
    size = f"{ablated.bytes_without:,} bytes without it, {ablated.bytes_with:,} with it"
    return Finding(
        code="EK191",
        severity=Severity.WARNING,
        verdict=Verdict.POOR,
        title=rule.title,
        step=each.index,
        other=None,
        message=f"step {each.index + 1} {each.label}: {rule.title} ({size})",
        why=rule.why,
        fix=rule.fix,
        evidence=(_evidence(study, ablated.points, "with this step against without it"),),
    )


def _evidence(study: Study, points: Interval, what: str) -> Evidence:
    says = f"{what}: {points} {study.unit} over {study.seeds} seeds, 95 % interval (native)"
    return Evidence(kind="measured", source=study.path, says=says)
