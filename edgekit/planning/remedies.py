"""Derive a recipe without findings from one with findings: apply their remedies, then sort the steps topologically."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

from edgekit.contract.registry import step_from
from edgekit.contract.step import Step
from edgekit.errors import RecipeError
from edgekit.planning.interactions import (
    Condition,
    Interactions,
    PairVerdict,
    Replacement,
    Side,
    fits,
    required_order,
    step_fits,
    step_properties,
)
from edgekit.planning.lint import Finding, LintResult, PlanningContext, lint
from edgekit.planning.plan import providers
from edgekit.planning.recipe import Recipe, RecipeStep
from edgekit.records import Record
from edgekit.traits import FILES, MODULE_ENTRY, Fact, Facts, Format, Role, Trait

_ROUNDS = 40
_TRIES = 20_000


class Proposal(Record, frozen=True):
    """A recipe proposed as a replacement, and the changes in order."""

    judgement: LintResult
    changes: tuple[str, ...]

    @property
    def recipe(self) -> Recipe:
        return self.judgement.recipe


def propose(recipe: Recipe, context: PlanningContext, interactions: Interactions) -> Proposal:
    """The recipe with every finding's remedy applied, if it has one. Steps are moved only where a finding or a contract
    asks for it, and new ones are placed by the orders that rows require. A recipe without errors and warnings is
    returned as it is, and so is one for which nothing better was found."""
    context = context.copy_with(entry=context.entry_of(recipe))
    given = lint(recipe, context, interactions)
    if given.is_clean:
        return Proposal(given, ())
    changes: list[str] = []
    steps = list(_for_roles(recipe.steps, context.roles, changes))
    judged = lint(replace(recipe, steps=tuple(steps)), context, interactions)
    is_sorted = False
    seen = set()
    for _ in range(_ROUNDS):
        sorting = _Sorting(steps, context, interactions, judged.findings, recipe.steps)
        ordered = sorting.order_steps(changes)
        is_sorted = is_sorted or ordered != steps
        steps = ordered
        judged = lint(replace(recipe, steps=tuple(steps)), context, interactions)
        if judged.is_clean or tuple(steps) in seen:
            break
        seen.add(tuple(steps))
        for finding in judged.findings:
            if finding.verdict is PairVerdict.POOR and (changed := apply_remedy(steps, finding, context, changes)):
                steps = changed
                break
    found = lint(replace(recipe, steps=tuple(steps)), context, interactions)
    if found.gravity >= given.gravity:
        return Proposal(given, ())
    if is_sorted:
        changes.append("order: " + ", ".join(each.label for each in steps))
    return Proposal(found, tuple(changes))


def _for_roles(steps: Sequence[RecipeStep], roles: frozenset[Role], changes: list[str]) -> Iterator[RecipeStep]:
    """Remove steps on a role that the project lacks. A step that joins such a role is replaced: distillation by
    training."""
    for each in steps:
        if each.role not in roles:
            changes.append(f"removed {each.label}, because the project has no {each.role}")
        elif not set(each.step.contract.joins) <= roles:
            substitute = each.step.without_joined
            changes.append(f"replaced {each.label} with {substitute}, because the project has no teacher")
            yield RecipeStep(_convert(each.step, Replacement(side="step", use=substitute)), each.role)
        else:
            yield each


def apply_remedy(
    steps: Sequence[RecipeStep], finding: Finding, context: PlanningContext, changes: list[str]
) -> list[RecipeStep]:
    """The steps with a finding's remedy applied; empty if it has none, or if sorting applies it."""
    remedy = finding.remedy
    if remedy is None or remedy.swap:
        return []
    sides = {"first": finding.step, "then": finding.other, "step": finding.step}
    found = list(steps)
    if remedy.add:
        found.append(RecipeStep(Step.registry[remedy.add](), Role.STUDENT))
        _tell(changes, f"{finding.code}: added {remedy.add}")
        return found
    if remedy.remove is not None:
        removed = _chosen(steps, remedy.remove, sides, context)
        for each in removed:
            _tell(changes, f"{finding.code}: removed {steps[each].label}")
        return [each for index, each in enumerate(steps) if index not in removed] if removed else []
    side = remedy.to_student or (remedy.replace or remedy.set).side  # type: ignore[union-attr]
    index = sides[side]
    if index is None:
        return []
    old = steps[index]
    if remedy.to_student:
        found[index] = RecipeStep(old.step, Role.STUDENT)
        _tell(changes, f"{finding.code}: moved {old.step.name()} to the student, after distillation")
    elif remedy.replace:
        found[index] = RecipeStep(_convert(old.step, remedy.replace), old.role)
        options = found[index].step.options()
        amounts = ", ".join(f"{name} = {options[name]:g}" for name in remedy.replace.channel_share.values())
        became = f"{remedy.replace.use}{f' with {amounts}' if amounts else ''}"
        note = f": {remedy.replace.note}" if remedy.replace.note else ""
        _tell(changes, f"{finding.code}: {old.label} became {became}{note}")
    elif remedy.set:
        found[index] = RecipeStep(_with(old.step, remedy.set.options), old.role)
        text = ", ".join(f"{name} = {value}" for name, value in remedy.set.options.items())
        _tell(changes, f"{finding.code}: {old.label} with {text}")
    return found if found[index] != old else []


def _chosen(
    steps: Sequence[RecipeStep],
    remove: Side | tuple[Condition, ...],
    sides: dict[str, int | None],
    context: PlanningContext,
) -> list[int]:
    """The steps to remove: the one of a side, or all of a technique, since it counts once however often it is
    applied."""
    if isinstance(remove, str):
        side = sides[remove]
        return [] if side is None else [side]
    for condition in remove:
        for each in steps:
            if step_fits(condition, each.step.technique(context.target), each.role):
                return [
                    index
                    for index, other in enumerate(steps)
                    if (other.step.name(), other.role) == (each.step.name(), each.role)
                ]
    return []


def _convert(step: Step, to: Replacement) -> Step:
    """The step `to.use` with the options that both steps have, and shares of weights as shares of channels."""
    known = {each.name for each in fields(Step.registry[to.use])}
    options = step.options()
    options |= {new: channel_share(options[old]) for old, new in to.channel_share.items()}
    carried = {name: value for name, value in options.items() if name in known} | to.options
    try:
        return step_from(to.use, carried, to.use)
    except RecipeError:  # an option with the same name and another range
        return step_from(to.use, to.options, to.use)


def channel_share(weight_share: float) -> float:
    """The share of every layer's channels whose removal leaves as many weights as the removal of a share of the
    weights: a layer loses both its input and its output channels, so that (1 - channels)^2 of its weights remain."""
    return round(1 - math.sqrt(1 - weight_share), 2)


def _with(step: Step, options: dict[str, Any]) -> Step:
    known = {each.name for each in fields(type(step))}
    wanted = {name: value for name, value in options.items() if name in known}
    return step_from(step.name(), {**step.options(), **wanted}, step.name())


class _Sorting:
    """A topological sort by contracts and verdicts: the order nearest to the given one that both allow."""

    def __init__(
        self,
        steps: Sequence[RecipeStep],
        context: PlanningContext,
        interactions: Interactions,
        findings: Sequence[Finding],
        given: Sequence[RecipeStep],
    ) -> None:
        """`findings` are those of the steps, whose poor orders are reversed. Steps that are not in the `given` recipe
        take the places that rows require."""
        self.steps = list(steps)
        self.roles = context.roles
        self.entry = context.entry or MODULE_ENTRY
        self.tries = 0
        orders = [(order, row.when) for row in interactions if (order := required_order(row)) is not None]
        reversed_pairs = {
            (each.other, each.step)
            for each in findings
            if each.verdict is PairVerdict.POOR and each.remedy is not None and each.remedy.swap
        }
        sides = [step_properties(each.step.technique(context.target), each.role) for each in steps]

        def fitting(condition: Condition, index: int) -> bool:
            return fits(condition, *sides[index]) is True

        self.before: list[set[int]] = [set() for _ in steps]
        for later in range(len(steps)):
            for earlier in range(len(steps)):
                related = steps[earlier].role is steps[later].role or steps[earlier].role is Role.TEACHER
                if earlier == later or not related:
                    continue
                asked = self._measured_order(earlier, later, context)
                if asked is None and any(steps[index] not in given for index in (earlier, later)):
                    asked = any(
                        fitting(one, earlier)
                        and fitting(other, later)
                        and fits(when, *context.known(steps[later].role)) is True
                        for (one, other), when in orders
                    )
                if asked or (earlier, later) in reversed_pairs:
                    self.before[later].add(earlier)

    def _measured_order(self, earlier: int, later: int, context: PlanningContext) -> bool | None:
        """Whether a measurement requires this order; None if there is none."""
        if context.measured is None:
            return None
        one, other = self.steps[earlier], self.steps[later]
        verdict, turned = (
            context.measured.verdict(*pair, self.steps, context.target) for pair in ((one, other), (other, one))
        )
        if verdict is None and turned is None:
            return None
        return verdict is PairVerdict.GOOD or turned is PairVerdict.POOR

    def order_steps(self, changes: list[str]) -> list[RecipeStep]:
        """The sorted steps. Where no order is possible, a step that provides the missing fact is added, or the step is
        removed."""
        for _ in range(2 * len(self.steps) + 4):
            for verdicts in (True, False):
                self.tries = 0
                found = self._search([], dict.fromkeys(self.roles, self.entry), verdicts, set())
                if found is not None:
                    return [self.steps[index] for index in found]
            if not self._insert_missing(changes):
                break
        return self.steps

    def _search(
        self, placed: list[int], have: dict[Role, Facts], verdicts: bool, dead: set[tuple[Any, ...]]
    ) -> list[int] | None:
        if len(placed) == len(self.steps):
            return placed if have[Role.STUDENT] & FILES else None
        state = (frozenset(placed), *sorted((role, *sorted(facts)) for role, facts in have.items()))
        self.tries += 1
        if state in dead or self.tries > _TRIES:
            return None
        for index, each in enumerate(self.steps):
            if index in placed or (verdicts and not self.before[index] <= set(placed)):
                continue
            if self._missing(each, have) is None:
                found = self._search([*placed, index], _after(each, have), verdicts, dead)
                if found is not None:
                    return found
        dead.add(state)
        return None

    def _missing(self, each: RecipeStep, have: dict[Role, Facts]) -> tuple[Role, Fact] | None:
        """The first fact that a step requires and a role's model lacks."""
        needs = {each.role: each.step.contract.requires, **each.step.contract.joins}
        for role, needed in needs.items():
            lacking = sorted(needed - have.get(role, frozenset()))
            if lacking:
                return role, lacking[0]
        return None

    def _insert_missing(self, changes: list[str]) -> bool:
        """Place steps as far as possible, then add what the first blocked step requires, or remove that step."""
        placed: list[int] = []
        have = dict.fromkeys(self.roles, self.entry)
        while True:
            ready = [i for i, each in enumerate(self.steps) if i not in placed and self._missing(each, have) is None]
            harmless = [i for i in ready if not self._destroys(i, placed, have)]
            for index, each in enumerate(self.steps):
                missing = None if harmless or index in placed else self._missing(each, have)
                if missing is not None and self._add_provider(*missing, have, changes):
                    return True
            if not ready:
                break
            chosen = (harmless or ready)[0]
            have = _after(self.steps[chosen], have)
            placed.append(chosen)
        stuck = [index for index in range(len(self.steps)) if index not in placed]
        if not stuck:
            return self._add_provider(Role.STUDENT, Format.ONNX, have, changes)
        _tell(changes, f"removed {self.steps[stuck[0]].label}, because it cannot run in any order")
        self._remove(stuck[0])
        return True

    def _destroys(self, index: int, placed: list[int], have: dict[Role, Facts]) -> bool:
        """Whether a step removes a fact of its model that a waiting step requires."""
        role = self.steps[index].role
        lost = have[role] - _after(self.steps[index], have)[role]
        waiting = [each for i, each in enumerate(self.steps) if i not in placed and i != index]
        return any(
            lost & {each.role: each.step.contract.requires, **each.step.contract.joins}.get(role, frozenset())
            for each in waiting
        )

    def _add_provider(self, role: Role, missing: Fact, have: dict[Role, Facts], changes: list[str]) -> bool:
        """Add the simplest step that provides a fact and can run, if there is none of its kind. A quantization is never
        added only because a step requires integers."""
        if missing is Trait.INTEGER:
            return False
        present = {each.step.name() for each in self.steps if each.role is role}
        for kind in sorted(providers(missing), key=lambda each: (each().technique(None).lossy, each.loads_weights())):
            if kind.name() not in present and kind.contract.requires <= have[role] and not kind.contract.joins:
                step = RecipeStep(kind(), role)
                _tell(changes, f"added {step.label}")
                self.steps.append(step)
                self.before.append(set())
                return True
        return False

    def _remove(self, index: int) -> None:
        del self.steps[index]
        del self.before[index]
        self.before = [{i - (i > index) for i in each if i != index} for each in self.before]


def _after(each: RecipeStep, have: dict[Role, Facts]) -> dict[Role, Facts]:
    contract = each.step.contract
    return {**have, each.role: (have[each.role] & contract.preserves) | contract.provides}


def _tell(changes: list[str], text: str) -> None:
    if not changes or changes[-1] != text:
        changes.append(text)
