"""A study's results as evidence, for checking a recipe against what was measured on the project's own model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.contract.registry import load_all
from edgekit.contract.step import Step
from edgekit.errors import EvidenceError, TargetError
from edgekit.figures.conclusions import Conclusion
from edgekit.figures.intervals import Interval
from edgekit.planning.interactions import RULES, Evidence, PairVerdict, Remedy, Severity
from edgekit.planning.lint import Finding, LintResult, is_technique, sort_key
from edgekit.planning.plan import PlannedStep
from edgekit.planning.recipe import RecipeStep
from edgekit.project.project import PROJECT_FILE, Project
from edgekit.records import read_json, validate
from edgekit.studies.results import SCHEMA, OrderComparison, StepAblation, StepRecord, Study, subject_of
from edgekit.target import Target
from edgekit.target_files import find_target
from edgekit.traits import Format
from edgekit.wording import count_of, format_level

_TRAINING = frozenset({"epochs", "learning_rate", "weight_decay"})


def measurements_of(project: Project | None, path: Path) -> "Measurements":
    """The results in a study's file, for checking a recipe of the project that they were measured on. Raises
    EvidenceError as `load_study` does, and where there is no project."""
    if project is None:
        raise EvidenceError(
            f"{path} was measured on a project's model, but there is no {PROJECT_FILE} in this folder",
            "change to the project's folder, or name it: -C DIR",
        )
    study = load_study(path, project)
    try:
        target = find_target(study.target, (project.targets_folder,))
    except TargetError:
        target = None
    return Measurements(study, str(path), target)


def load_study(path: Path, project: Project) -> Study:
    """The results in a file that `edgekit study` wrote. Raises EvidenceError if it cannot be read, is damaged, or is
    about another model or other data."""
    again = "give the file that edgekit study wrote"
    data = read_json(path, EvidenceError, again)
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
    target: Target | None = None
    """The target that it was measured for; None if there is no longer one of this name."""

    def summary(self) -> str:
        """What was measured, over how many seeds, as a sentence."""
        study = self.study
        parts = [f"{count_of(len(study.orders) // 2, 'order')} of two steps"] if study.orders else []
        parts += [f"{count_of(len(study.ablations), 'step')} left out"] if study.ablations else []
        what = " and ".join(parts) or "nothing that applies to a plan"
        over = count_of(len(study.seeds), "seed")
        return (
            f"{self.source} measured {what} on this model, over {over}: where these results decide, they replace the "
            "table's rows"
        )

    def revise(self, judgement: LintResult, target: Target | None) -> LintResult:
        """The lint result with measured pairs decided by the measurement instead of the table. Where the measurement is
        undecided or was made under other conditions, the table's rows stand and report it."""
        findings, sound = list(judgement.findings), list(judgement.sound)
        walk = judgement.walked
        for then in walk.steps:
            for first in sorted({*walk.line(then.index), *walk.joined_line(then.index)}):
                others = [walk.steps[index] for index in walk.ancestors(then.index) if index != first]
                found = self._order(walk.steps[first], then, others, target)
                if found is None:
                    continue
                comparison, differences = found
                between = [each.label for each in others if each.index > first and is_technique(each)]
                differences += [f"without {label} between the two" for label in between]
                points = self.evidence(comparison.points, comparison.level, "this order compared with the other")
                result = _OrderResult(comparison, walk.steps[first], then, differences, points)
                findings, sound = result.applied_to(findings, sound)
        findings += self._ablation_findings(walk.steps, target)
        return judgement.copy_with(findings=tuple(sorted(findings, key=sort_key)), sound=tuple(sound))

    def verdict(
        self, first: RecipeStep, then: RecipeStep, recipe: Sequence[RecipeStep], target: Target | None
    ) -> PairVerdict | None:
        """The verdict on two steps of a recipe in this order; None if they were not measured, or under other
        conditions, or if the measurement is undecided."""
        others = [each for each in recipe if each not in (first, then) and Format.TORCH in each.step.contract.requires]
        found = self._order(first, then, others, target)
        return None if found is None or found[1] else found[0].verdict

    def _order(
        self, first: RecipeStep, then: RecipeStep, others: Sequence[RecipeStep], target: Target | None
    ) -> tuple[OrderComparison, list[str]] | None:
        """The measurement of two steps in this order whose conditions are nearest to a recipe's, and their differences;
        None if there is none."""
        alike = [each for each in self.study.orders if _is_alike(each.first, first) and _is_alike(each.then, then)]
        found = [(each, self._differences(each, first, then, others, target)) for each in alike]
        return min(found, key=lambda each: len(each[1]), default=None)

    def _differences(
        self,
        found: OrderComparison,
        first: RecipeStep,
        then: RecipeStep,
        others: Sequence[RecipeStep],
        target: Target | None,
    ) -> list[str]:
        """The conditions of a measurement that differ from a recipe's; `others` are the recipe's steps on which the
        pair's result depends."""
        before = self._before(found)
        return [
            *_differences([found.first, found.then], [first, then]),
            *_differences(before, others),
            *(f"without {each.label}" for each in others if not any(_is_alike(one, each) for one in before)),
            *self._target_differs(found.arm, target),
        ]

    def _before(self, found: OrderComparison) -> list[StepRecord]:
        """The measured steps before the later one of a pair, without the pair itself."""
        steps = self._steps(found.arm)
        end = steps.index(found.then) if found.then in steps else 0
        return [each for each in steps[:end] if each != found.first]

    def _target_differs(self, arm: str, target: Target | None) -> list[str]:
        """Why an arm's results do not hold for another target: one of its techniques reads a property in which the two
        targets differ."""
        if target is None or target.id == self.study.target:
            return []
        load_all()
        kinds = [(Step.registry.get(each.use), each.role) for each in self._steps(arm)]
        steps = [RecipeStep(kind(), role) for kind, role in kinds if kind is not None]
        read = {name for each in steps if is_technique(each) for name in each.step.contract.target}
        if self.target is not None and all(_same(name, self.target, target) for name in read):
            return []
        return [f"for {self.study.target}, not {target.id}"]

    def _steps(self, arm: str) -> list[StepRecord]:
        return [stage.step for each in self.study.arms if each.name == arm for stage in each.stages]

    def _ablation_findings(self, steps: Sequence[PlannedStep], target: Target | None) -> Iterator[Finding]:
        """What the omission of single steps showed, where the study omitted the steps of this recipe one by one."""
        whole = self._steps(self.study.whole)
        if len(whole) != len(steps) or not all(map(_is_alike, whole, steps)):
            return
        differences = [*_differences(whole, steps), *self._target_differs(self.study.whole, target)]
        for ablated in self.study.ablations:
            each = next(each for each in steps if _is_alike(ablated.step, each))
            points = self.evidence(ablated.points, ablated.level, "with this step compared with without it")
            if not ablated.pays_off:
                yield _ablation_finding(ablated, each, differences, points)

    def evidence(self, points: Interval, level: float, what: str) -> Evidence:
        """Measured points as the evidence of a finding."""
        over = count_of(len(self.study.seeds), "seed")
        interval = "no interval" if points.low is None else f"{format_level(level)} interval"
        return Evidence(
            kind="measured",
            source=self.source,
            says=f"{what}: {points} {self.study.unit} over {over}, {interval} ({self.study.fidelity})",
        )


@dataclass(frozen=True)
class _OrderResult:
    """A measured order of two steps of a recipe."""

    found: OrderComparison
    first: PlannedStep
    then: PlannedStep
    differences: Sequence[str]
    """The conditions of the measurement that are not the recipe's."""
    points: Evidence

    def applied_to(self, findings: Sequence[Finding], sound: Sequence[Finding]) -> tuple[list[Finding], list[Finding]]:
        """The findings and the good pairs of the table with this result: its verdict instead of the rows on the order
        of the pair; or, if it has none, beside them."""
        pair = {self.first.index, self.then.index}
        about = [each for each in (*findings, *sound) if {each.step, each.other} == pair and _is_about_order(each)]
        verdict = None if self.differences else self.found.verdict
        if verdict is None:
            own = self._undecided("the table's verdict stands")
            told = [each.copy_with(limits=f"{each.limits} {own}".lstrip()) for each in about]
            told = told or [self._finding(None, about)]
        else:
            told = [self._finding(verdict, about)]
        kept = ([each for each in some if each not in about] for some in (findings, sound))
        bad, good = kept
        return (
            [*bad, *(each for each in told if each.verdict is not PairVerdict.GOOD)],
            [*good, *(each for each in told if each.verdict is PairVerdict.GOOD)],
        )

    def _undecided(self, consequence: str) -> str:
        """The measurement that does not decide, and what follows."""
        why = f"measured {', '.join(self.differences)}" if self.differences else "undecided"
        return f"Your study: {self.points.says}; {why}, therefore {consequence}."

    def _finding(self, verdict: PairVerdict | None, about: Sequence[Finding]) -> Finding:
        conclusion = self.found.conclusion
        title = (
            "both orders were measured on your model, without a decision"
            if verdict is None
            else {
                Conclusion.WORSE: "this order has the lower metric on your model",
                Conclusion.EQUIVALENT: "the orders are equivalent on your model",
                Conclusion.BETTER: "the better order on your model",
            }[conclusion]
        )
        shipped = min(about, key=sort_key, default=None)
        names = f"step {self.first.index + 1} {self.first.label} and step {self.then.index + 1} {self.then.label}"
        return Finding(
            code=shipped.code if shipped else "EK190",
            severity=Severity.ERROR if verdict is PairVerdict.POOR else Severity.INFO,
            verdict=verdict or PairVerdict.MODERATE,
            title=title,
            step=self.first.index,
            other=self.then.index,
            message=f"{names}: {title}",
            why=shipped.why if shipped else RULES["EK190"].why,
            limits=self._undecided("there is no verdict") if verdict is None else "",
            fix=RULES["EK190"].fix if verdict is PairVerdict.POOR else "",
            evidence=(self.points, *(shipped.evidence if shipped else ())),
            remedy=Remedy(swap=True),
        )


def _is_about_order(finding: Finding) -> bool:
    """Whether a finding on a pair is about its order. A poor pair without a swap as remedy is poor in both orders."""
    swaps = finding.remedy is not None and finding.remedy.swap
    return finding.can_be_allowed and (swaps or finding.verdict is not PairVerdict.POOR)


def _is_alike(record: StepRecord, planned: RecipeStep) -> bool:
    """Whether a measured step is the planned one, apart from the training in it."""
    if record.use != planned.step.name() or record.role is not planned.role:
        return False
    own = planned.step.options()
    same = all(record.options.get(name) == value for name, value in own.items() if name not in _TRAINING)
    return same and bool(record.options.get("epochs")) == bool(own.get("epochs"))


def _differences(measured: Sequence[StepRecord], planned: Sequence[RecipeStep]) -> list[str]:
    """What was measured otherwise than planned, as phrases. Each measured step is compared with the planned one of the
    same name and role that differs least."""
    found = []
    for record in measured:
        alike = [each for each in planned if (each.step.name(), each.role) == (record.use, record.role)]
        if not alike:
            found.append(f"with {record.label}")
            continue
        found += min((len(changes), changes) for changes in (_changed(record, each) for each in alike))[1]
    return found


def _changed(record: StepRecord, planned: RecipeStep) -> list[str]:
    own = planned.step.options()
    return [
        f"with {record.label} {name} {record.options.get(name)}, not {value}"
        for name, value in own.items()
        if record.options.get(name) != value
    ]


def _same(name: str, one: Target, other: Target) -> bool:
    """Whether two targets have the same property, apart from the reason that a scheme gives."""
    if name == "quantization":
        return one.quantization.copy_with(why="") == other.quantization.copy_with(why="")
    return bool(getattr(one, name) == getattr(other, name))


def _ablation_finding(
    ablated: StepAblation, each: PlannedStep, differences: Sequence[str], points: Evidence
) -> Finding:
    rule = RULES["EK191"]
    is_decided = ablated.pays_off is False and not differences
    title = rule.title if is_decided else "measured on your model, without a decision on whether the step pays off"
    size = f"{ablated.bytes_without:,} bytes without it, {ablated.bytes_with:,} with it"
    why = f"measured {', '.join(differences)}" if differences else "undecided"
    return Finding(
        code="EK191",
        severity=Severity.WARNING if is_decided else Severity.INFO,
        verdict=PairVerdict.POOR if is_decided else PairVerdict.MODERATE,
        title=title,
        step=each.index,
        other=None,
        message=f"step {each.index + 1} {each.label}: {title} ({size})",
        why=rule.why,
        limits="" if is_decided else f"Your study: {points.says}; {why}.",
        fix=rule.fix if is_decided else "",
        evidence=(points,),
    )
