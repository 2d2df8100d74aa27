"""Recipe x project x target x interactions -> findings: what is impossible, what is unwise, and what is unknown."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from edgekit.contract.technique import Family, Technique
from edgekit.host import this_host
from edgekit.planning.interactions import (
    RULES,
    Condition,
    Evidence,
    Interaction,
    Interactions,
    PairVerdict,
    Remedy,
    Severity,
    fits,
    interactions_with,
    shipped_interactions,
)
from edgekit.planning.placed_steps import PlacedSteps
from edgekit.planning.plan import Fault, FaultKind, RecipeWalk, entry_for, walk_recipe
from edgekit.planning.recipe import Recipe, RecipeStep, find_recipe, shipped_recipes
from edgekit.project.project import Project
from edgekit.records import Record
from edgekit.survey.survey import Survey
from edgekit.target import Target
from edgekit.traits import Facts, Format, Role

FAULT_CODES = {FaultKind.MISSING: "EK001", FaultKind.NO_ROLE: "EK002", FaultKind.NO_FILE: "EK003"}
_CONTRACT = Evidence(
    kind="documentation", source="the step's contract", says="the traits that it requires, provides and preserves"
)


class MeasuredOrders(Protocol):
    """What a study measured on the project's own model."""

    @property
    def source(self) -> str:
        """The study's file."""

    def summary(self) -> str:
        """What was measured, over how many seeds, as a sentence."""

    def revise(self, judgement: "LintResult", target: Target | None) -> "LintResult":
        """A lint result in which the verdicts of measured orders replace those of the table."""

    def verdict(
        self, first: RecipeStep, then: RecipeStep, recipe: Sequence[RecipeStep], target: Target | None
    ) -> PairVerdict | None:
        """The verdict on two steps of a recipe in this order; None if they were not measured, or under other
        conditions, or if the measurement is undecided."""


class PlanningContext(Record, frozen=True):
    """What is known when a recipe is checked. None means unknown."""

    target: Target | None = None
    surveys: Mapping[Role, Survey | None] = {}
    roles: frozenset[Role] = frozenset({Role.TEACHER, Role.STUDENT})
    training_data: bool | None = True
    entry: Facts | None = None
    """The facts that each model starts with."""
    student_is_teacher: bool | None = None
    """Whether the student starts as a copy of the teacher, to be pruned; None if that is unknown."""
    measured: "MeasuredOrders | None" = None
    """A study of the project's own models, which takes precedence over the table."""

    def entry_of(self, recipe: Recipe) -> Facts:
        """The facts that the models of a recipe start with, as far as they are known."""
        return entry_for(recipe.steps) if self.entry is None else self.entry

    def placed(self, walk: RecipeWalk) -> PlacedSteps:
        """The steps of a recipe with what is known of the models that they prune."""
        prunable = {role: survey.prunable if survey else None for role, survey in self.surveys.items()}
        return PlacedSteps(walk, self.target, prunable)

    def known(self, role: Role) -> tuple[dict[str, Any], frozenset[str]]:
        """The properties that conditions may refer to, for a role's model, and the names of unknown ones."""
        survey, teacher = self.surveys.get(role), self.surveys.get(Role.TEACHER)
        student, target = self.surveys.get(Role.STUDENT), self.target
        multiple = target.channel_multiple if target else None
        values: dict[str, Any] = {
            "architecture": survey.architecture if survey else None,
            "batch_norms": survey.batch_norms if survey else None,
            "student_share": _share(student, teacher),
            "odd_channels": any(each % multiple for each in survey.channels) if survey and multiple else None,
            "training_data": self.training_data,
            "arch": target.arch if target else None,
            "isa": target.isa if target else None,
            "runtime": target.runtime.name if target else None,
            "is_this_machine": target.is_this(this_host()) if target else None,
            "student_is_teacher": self._student_is_teacher(),
            "prunable": None if survey is None or survey.prunable is None else bool(survey.prunable),
        }
        unknown = {name for name, value in values.items() if value is None}
        if Role.TEACHER not in self.roles:
            unknown.discard("student_share")
        return values, frozenset(unknown)

    def _student_is_teacher(self) -> bool | None:
        student, teacher = self.surveys.get(Role.STUDENT), self.surveys.get(Role.TEACHER)
        if Role.TEACHER not in self.roles:
            return False
        if self.student_is_teacher is not None or student is None or teacher is None:
            return self.student_is_teacher
        return _same_shapes(student, teacher)


def _same_shapes(one: Survey, other: Survey) -> bool:
    return (one.architecture, one.parameters, one.channels) == (other.architecture, other.parameters, other.channels)


def _share(student: Survey | None, teacher: Survey | None) -> float | None:
    """The student's parameters relative to the teacher's; None if that is unknown, or the teacher has none."""
    return student.parameters / teacher.parameters if student and teacher and teacher.parameters else None


def planning_context(
    project: Project | None, target: Target | None, surveys: Mapping[Role, Survey | None] | None = None
) -> PlanningContext:
    """What is known of a project's models and a target."""
    if project is None:
        return PlanningContext(target)
    entry, models = project.entry_facts, project.model
    is_copy = True if models.teacher is not None and models.teacher == models.student else None
    return PlanningContext(target, surveys or {}, project.roles, Format.TORCH in entry, entry, is_copy)


def interactions_of(project: Project | None) -> Interactions:
    """The interaction table for a project: the shipped rows, with the project's own if it has any."""
    if project is not None and project.interactions_file.is_file():
        return interactions_with(project.interactions_file)
    return shipped_interactions()


class Finding(Record, frozen=True):
    """A remark on a recipe before it runs."""

    code: str
    severity: Severity
    verdict: PairVerdict
    title: str
    step: int | None
    """The step at fault, from 0; None if it is the recipe or the model."""
    other: int | None
    """The step that it conflicts with."""
    message: str
    why: str
    fix: str
    evidence: tuple[Evidence, ...]
    limits: str = ""
    """What the project's own measurements add to the reason, or where they contradict it."""
    damages: bool = False
    """Whether the step at fault leaves a model that later techniques cannot build on."""
    remedy: Remedy | None = None
    target: str | None = None
    """The target that it applies to; None for all targets of the check."""

    @property
    def can_be_allowed(self) -> bool:
        """Whether the finding can be allowed: what is unwise can be, what is impossible cannot."""
        return self.code not in FAULT_CODES.values()

    def to_json(self) -> dict[str, Any]:
        """As JSON values. Steps are counted from 1."""
        return {
            "code": self.code,
            "severity": self.severity,
            "verdict": self.verdict,
            "title": self.title,
            "step": None if self.step is None else self.step + 1,
            "other_step": None if self.other is None else self.other + 1,
            "target": self.target,
            "message": self.message,
            "reason": self.why,
            "limits": self.limits,
            "fix": self.fix,
            "evidence": [each.to_json() for each in self.evidence],
        }


class Undecided(Record, frozen=True):
    """A row that cannot be decided, and the unknown properties that it depends on."""

    code: str
    title: str
    needs: tuple[str, ...]


class LintResult(Record, frozen=True):
    recipe: Recipe
    walked: RecipeWalk
    findings: tuple[Finding, ...]
    """Errors first, then by step."""
    sound: tuple[Finding, ...]
    """Pairs in a good order."""
    undecided: tuple[Undecided, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(each for each in self.findings if each.severity is Severity.ERROR)

    @property
    def gravity(self) -> tuple[int, int]:
        """The numbers of errors and of warnings, by which results are compared."""
        found = Counter(each.severity for each in self.findings)
        return found[Severity.ERROR], found[Severity.WARNING]

    @property
    def is_clean(self) -> bool:
        """Whether there are no errors and no warnings."""
        return all(each.severity is Severity.INFO for each in self.findings)


def lint(recipe: Recipe, context: PlanningContext, interactions: Interactions) -> LintResult:
    """All findings of a recipe, and the pairs whose order is good."""
    walk = walk_recipe(recipe, context.roles, context.entry_of(recipe))
    lint = _Lint(walk, context)
    for row in interactions:
        lint.judge(row)
    faults = [_of_fault(each) for each in walk.faults]
    found = sorted([*faults, *(each for each in lint.found if each.verdict is not PairVerdict.GOOD)], key=sort_key)
    sound = tuple(each for each in lint.found if each.verdict is PairVerdict.GOOD)
    judgement = LintResult(recipe, walk, tuple(found), sound, tuple(lint.undecided.values()))
    return context.measured.revise(judgement, context.target) if context.measured else judgement


def lint_alone(recipe: Recipe) -> LintResult:
    """The findings of a recipe that hold for any model and target."""
    return lint(recipe, PlanningContext(), shipped_interactions())


def lint_shipped_recipes() -> list[LintResult]:
    """The same for every shipped recipe."""
    return [lint_alone(find_recipe(name, Path())) for name in shipped_recipes()]


def sort_key(finding: Finding) -> tuple[int, int, str]:
    """Errors first, then by step."""
    step = finding.step if finding.step is not None else sys.maxsize
    return list(Severity).index(finding.severity), step, finding.code


def _of_fault(fault: Fault) -> Finding:
    culprit = fault.culprit if fault.culprit is not None else fault.step
    return Finding(
        code=FAULT_CODES[fault.kind],
        severity=Severity.ERROR,
        verdict=PairVerdict.POOR,
        title=RULES[FAULT_CODES[fault.kind]].title,
        step=culprit,
        other=fault.step if fault.culprit is not None else None,
        message=fault.message,
        why="the steps' contracts do not match: the recipe cannot run",
        fix=fault.hint,
        evidence=(_CONTRACT,),
    )


class _Lint:
    """Evaluates the rows of the interaction table on a recipe."""

    def __init__(self, walk: RecipeWalk, context: PlanningContext) -> None:
        self.walk = walk
        self.context = context
        self.placed = context.placed(walk)
        self.before = [sorted({*walk.line(each.index), *walk.joined_line(each.index)}) for each in walk.steps]
        """The earlier steps that each step's result depends on."""
        self.around = {role: context.known(role) for role in Role}
        self.found: list[Finding] = []
        self.undecided: dict[str, Undecided] = {}

    def judge(self, row: Interaction) -> None:
        if row.first is not None and row.then is not None:
            for index in range(len(self.walk.steps)):
                then = self._fits(row.then, index)
                for first in self.before[index] if then is not False else ():
                    self._add(row, index, first, self._holds(row, index, self._fits(row.first, first, index), then))
        elif row.count is not None:
            self._judge_count(row)
        else:
            for index in range(len(self.walk.steps)):
                self._add(row, index, None, self._holds(row, index, self._fits(row.step, index)))

    def _judge_count(self, row: Interaction) -> None:
        last = next((each.index for each in reversed(self.walk.steps) if each.role is Role.STUDENT), None)
        if last is None or row.count is None:
            return
        counted = [index for index in (*self.walk.ancestors(last), last) if self._fits(row.step, index)]
        techniques = {self.walk.steps[index].step.name() for index in counted}
        if len(techniques) >= row.count:
            names = ", ".join(_label(self.walk, index) for index in counted)
            self._add(row, counted[-1], None, True, f"{len(techniques)} of them: {names}")

    def _holds(self, row: Interaction, index: int, *sides: bool | None) -> bool | None:
        """Whether the steps fit, `when` holds, and no other step of the same model fits a `without` condition of the
        row."""
        if False in sides:
            return False
        later = [each.index for each in self.walk.steps if index in self.walk.line(each.index)]
        return _all(
            *sides,
            fits(row.when, *self.around[self.walk.steps[index].role]),
            self._none_fits(row.without_before, self.walk.line(index)),
            self._none_fits(row.without_after, later),
        )

    def _none_fits(self, condition: Condition | None, steps: Sequence[int]) -> bool | None:
        fitting = [] if condition is None else [self._fits(condition, each) for each in steps]
        return False if True in fitting else None if None in fitting else True

    def _fits(self, condition: Condition | None, index: int, reader: int | None = None) -> bool | None:
        return fits(condition or {}, *self.placed.properties(index, reader))

    def _add(self, row: Interaction, index: int, first: int | None, holds: bool | None, detail: str = "") -> None:
        if holds is None and row.code not in self.undecided:
            needs = [name for name in row.when if name in self.around[Role.STUDENT][1]]
            self.undecided[row.code] = Undecided(row.code, row.title, tuple(needs) or ("target",))
        if not holds:
            return
        names = " and ".join(_label(self.walk, each) for each in (first, index) if each is not None)
        about_target = bool({"isa", "arch", "runtime", "odd_channels", "is_this_machine"} & row.when.keys())
        self.found.append(
            Finding(
                code=row.code,
                severity=row.severity or Severity.INFO,
                limits=row.limits,
                damages=row.damages,
                verdict=row.verdict,
                title=row.title,
                step=index if first is None else first,
                other=None if first is None else index,
                message=f"{names}: {row.title}" + (f" ({detail})" if detail else ""),
                why=row.why,
                fix=row.fix,
                evidence=row.evidence,
                remedy=row.remedy,
                target=self.context.target.id if about_target and self.context.target else None,
            )
        )


def _all(*parts: bool | None) -> bool | None:
    return False if False in parts else None if None in parts else True


def _label(walk: RecipeWalk, index: int) -> str:
    return f"step {index + 1} {walk.steps[index].label}"


def is_compression(technique: Technique) -> bool:
    """Whether a step counts towards the two or three techniques of a recipe."""
    return technique.lossy and technique.family is not Family.GRAPH


def is_technique(each: RecipeStep) -> bool:
    """Whether a step compresses, or trains for a compression."""
    technique = each.step.technique(None)
    return is_compression(technique) or bool(technique.prepares)


def merge_findings(judgements: Sequence[LintResult]) -> tuple[Finding, ...]:
    """The findings for several targets; one that holds for all of them appears once."""
    found: dict[tuple[Any, ...], list[Finding]] = {}
    for judgement in judgements:
        for each in judgement.findings:
            found.setdefault((each.code, each.step, each.other), []).append(each)
    merged: list[Finding] = []
    for alike in found.values():
        by_target = {each.target: each for each in alike}
        holds_for_all = len(by_target) == len(judgements) > 1
        merged += [alike[0].copy_with(target=None)] if holds_for_all else by_target.values()
    return tuple(sorted(merged, key=sort_key))
