"""A study's results as evidence, for checking a recipe against what was measured on the project's own model."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import EvidenceError, first_line
from edgekit.figures.intervals import Interval
from edgekit.planning.interactions import RULES, Evidence, PairVerdict, Remedy, Severity
from edgekit.planning.lint import Finding, LintResult, sort_key
from edgekit.planning.plan import PlannedStep
from edgekit.planning.recipe import RecipeStep
from edgekit.project.project import PROJECT_FILE, Project
from edgekit.records import validate
from edgekit.studies.results import SCHEMA, OrderComparison, StepAblation, StepRecord, Study, subject_of
from edgekit.wording import count_of


def measurements_of(project: Project | None, path: Path) -> "Measurements":
    """The results in a study's file, for checking a recipe of the project that they were measured on. Raises
    EvidenceError as `load_study` does, and where there is no project."""
    if project is None:
        raise EvidenceError(
            f"{path} was measured on a project's model, but there is no {PROJECT_FILE} in this folder",
            "change to the project's folder, or name it: -C DIR",
        )
    return Measurements(load_study(path, project), str(path))


def load_study(path: Path, project: Project) -> Study:
    """The results in a file that `edgekit study` wrote. Raises EvidenceError if it cannot be read, is damaged, or is
    about another model or other data."""
    again = "give the file that edgekit study wrote"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise EvidenceError(f"{path} cannot be read: {fault.strerror}", again) from fault
    except ValueError as fault:
        raise EvidenceError(f"{path} is not JSON: {first_line(fault)}", again) from fault
    if isinstance(data, dict) and data.get("schema", SCHEMA) != SCHEMA:
        raise EvidenceError(f"{path} has schema {data['schema']}, not {SCHEMA}", "run edgekit study again")
    try:
        study: Study = validate(Study, data, str(path), EvidenceError)
    except EvidenceError as fault:
        raise EvidenceError(fault.message, again) from fault
    subject = subject_of(project)
    apart = sorted(name for name in {*subject, *study.subject} if subject.get(name) != study.subject.get(name))
    if apart:
        raise EvidenceError(
            f"{path} measured another model or other data: its {' and '.join(apart)} "
            f"{'differ' if len(apart) > 1 else 'differs'}",
            "run edgekit study again in this project, or plan without --evidence",
        )
    return study


@dataclass(frozen=True)
class Measurements:
    """A study as evidence for checking recipes."""

    study: Study
    source: str
    """Its file."""

    def summary(self) -> str:
        """What was measured, over how many seeds, as a sentence."""
        study = self.study
        parts = [f"{count_of(len(study.orders) // 2, 'order')} of two steps"] if study.orders else []
        parts += [f"{count_of(len(study.ablations), 'step')} left out"] if study.ablations else []
        what = " and ".join(parts) or "nothing that applies to a plan"
        over = count_of(len(study.seeds), "seed")
        return f"{self.source} measured {what} on this model, over {over}: these results replace the table's rows"

    def revise(self, judgement: LintResult) -> LintResult:
        """The lint result with measured pairs decided by the measurement instead of the table."""
        findings, sound = list(judgement.findings), list(judgement.sound)
        steps = judgement.walked.steps
        for then in steps:
            for first in sorted({*judgement.walked.line(then.index), *judgement.walked.joined_line(then.index)}):
                measured = self._of(steps[first], then)
                if measured is None:
                    continue
                spoken = (each for each in (*findings, *sound) if {each.step, each.other} == {first, then.index})
                about = [each for each in spoken if each.can_be_allowed]
                findings, sound = ([each for each in some if each not in about] for some in (findings, sound))
                result = _order_finding(self, measured, steps[first], then, about)
                (sound if measured.verdict is PairVerdict.GOOD else findings).append(result)
        for ablated in self.study.ablations if self._is_about(steps) else ():
            if not ablated.is_worth_it:
                each = next(each for each in steps if _is_alike(ablated.step, each))
                findings.append(_ablation_finding(self, ablated, each))
        return judgement.copy_with(findings=tuple(sorted(findings, key=sort_key)), sound=tuple(sound))

    def verdict(self, first: RecipeStep, then: RecipeStep) -> PairVerdict | None:
        """The verdict on two steps in this order; None if they were not measured."""
        measured = self._of(first, then)
        return None if measured is None else measured.verdict

    def _of(self, first: RecipeStep, then: RecipeStep) -> OrderComparison | None:
        return next(
            (each for each in self.study.orders if _is_alike(each.first, first) and _is_alike(each.then, then)), None
        )

    def _is_about(self, steps: Sequence[RecipeStep]) -> bool:
        """Whether these are the steps that the study omitted one by one."""
        whole = next((arm.stages for arm in self.study.arms if arm.name == self.study.whole), ())
        return len(whole) == len(steps) and all(
            _is_alike(one.step, each) for one, each in zip(whole, steps, strict=True)
        )

    def evidence(self, points: Interval, what: str) -> Evidence:
        """Measured points as the evidence of a finding."""
        over = f"{len(self.study.seeds)} seeds, {self.study.interval} ({self.study.fidelity})"
        return Evidence(kind="measured", source=self.source, says=f"{what}: {points} {self.study.unit} over {over}")


def _is_alike(step_record: StepRecord, planned: RecipeStep) -> bool:
    """Whether a measured step is the planned one, apart from epochs and learning rate."""
    if step_record.use != planned.step.name() or step_record.role is not planned.role:
        return False
    training = {"epochs", "learning_rate", "weight_decay"}
    own = planned.step.options()
    same = all(step_record.options.get(name) == value for name, value in own.items() if name not in training)
    return same and bool(step_record.options.get("epochs")) == bool(own.get("epochs"))


def _order_finding(
    by: Measurements, measured: OrderComparison, first: PlannedStep, then: PlannedStep, about: Sequence[Finding]
) -> Finding:
    title = {
        PairVerdict.POOR: "this order has the lower metric on your model",
        PairVerdict.MODERATE: "no large difference between the orders on your model",
        PairVerdict.GOOD: "the better order on your model",
    }[measured.verdict]
    shipped = min(about, key=sort_key, default=None)
    names = f"step {first.index + 1} {first.label} and step {then.index + 1} {then.label}"
    return Finding(
        code=shipped.code if shipped else "EK190",
        severity=Severity.ERROR if measured.verdict is PairVerdict.POOR else Severity.INFO,
        verdict=measured.verdict,
        title=title,
        step=first.index,
        other=then.index,
        message=f"{names}: {title}",
        why=shipped.why if shipped else RULES["EK190"].why,
        fix=RULES["EK190"].fix if measured.verdict is PairVerdict.POOR else "",
        evidence=(
            by.evidence(measured.points, "this order compared with the other"),
            *(shipped.evidence if shipped else ()),
        ),
        remedy=Remedy(swap=True),
    )


def _ablation_finding(by: Measurements, ablated: StepAblation, each: PlannedStep) -> Finding:
    rule = RULES["EK191"]
    size = f"{ablated.bytes_without:,} bytes without it, {ablated.bytes_with:,} with it"
    return Finding(
        code="EK191",
        severity=Severity.WARNING,
        verdict=PairVerdict.POOR,
        title=rule.title,
        step=each.index,
        other=None,
        message=f"step {each.index + 1} {each.label}: {rule.title} ({size})",
        why=rule.why,
        fix=rule.fix,
        evidence=(by.evidence(ablated.points, "with this step compared with without it"),),
    )
