"""LintResult -> Advice: the primary finding, its consequences, a better recipe, and steps that it could omit."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from edgekit.contract.technique import Family
from edgekit.planning.interactions import Interactions, PairVerdict, Severity, step_fits
from edgekit.planning.lint import Finding, LintResult, PlanningContext, is_compression, lint, merge_findings
from edgekit.planning.recipe import RecipeStep
from edgekit.planning.remedies import Proposal, apply_remedy, propose
from edgekit.records import Record

_NEEDED = {
    Family.DISTILLATION: "a trained teacher",
    Family.PRUNING: "trained weight magnitudes",
    Family.QUANTIZATION: "weights that were not quantized or pruned without fine-tuning",
}
"""What a technique depends on, by family."""


class PrimaryFinding(Record, frozen=True):
    """The step whose correction removes most other findings."""

    step: int
    finding: Finding
    """The most severe finding at which it is at fault."""
    change: str
    """The change of this step alone that removes the findings."""
    vanishing: tuple[str, ...]
    """The codes of other steps' findings, and of shared ones, that the change removes; one per finding."""


class InheritedFinding(Record, frozen=True):
    """A later step that receives a damaged model."""

    step: int
    needed: str
    """What it depends on and no longer receives."""
    through: tuple[int, ...]
    """The steps that caused the damage, in order."""
    codes: tuple[str, ...]
    """The findings that report it; empty if the damage comes through another step."""


class Omission(Record, frozen=True):
    """A step of the proposed recipe that could be omitted."""

    step: int
    reason: str
    codes: tuple[str, ...]


class Advice(Record, frozen=True):
    primary: PrimaryFinding | None
    """None if there is nothing worse than info."""
    cascade: tuple[InheritedFinding, ...]
    """Empty if the primary finding makes the recipe impossible, since nothing then runs."""
    proposal: Proposal
    """The recipe itself if it has no findings."""
    remaining: tuple[Finding, ...]
    """Errors and warnings of the proposed recipe, for which no change was found."""
    omissions: tuple[Omission, ...]
    """The least costly first."""

    @property
    def has_errors(self) -> bool:
        """Whether the proposed recipe still has errors."""
        return any(each.severity is Severity.ERROR for each in self.remaining)


def advise(
    judgement: LintResult,
    context: PlanningContext,
    interactions: Interactions,
    others: Sequence[PlanningContext] = (),
) -> Advice:
    """Advice on a recipe, found by trying changes and checking each. Nothing is trained. The proposal must also hold
    for `others`, further targets."""
    primary = _primary(judgement, context, interactions)
    proposal = propose(judgement.recipe, context, interactions)
    for each in others:
        further = propose(proposal.recipe, each, interactions)
        changes = (*proposal.changes, *further.changes)
        proposal = Proposal(lint(further.recipe, context, interactions), changes)
    proposed_for = [proposal.judgement, *(lint(proposal.recipe, each, interactions) for each in others)]
    return Advice(
        primary,
        tuple(_cascade(judgement, primary.step, context)) if primary and primary.finding.can_be_allowed else (),
        proposal,
        tuple(each for each in merge_findings(proposed_for) if each.severity is not Severity.INFO),
        tuple(_omissions(proposal.judgement, context, interactions)),
    )


def _primary(judgement: LintResult, context: PlanningContext, interactions: Interactions) -> PrimaryFinding | None:
    """The step to correct first. Each step in a finding is removed, replaced or, if nothing else applies, moved, and
    the recipe is checked again. Steps are ranked as `_Effect` says. Of equal steps the earlier is chosen, since damage
    propagates forward."""
    recipe, grave = judgement.recipe, _grave(judgement)
    before = Counter(_identity(each, range(len(recipe.steps))) for each in grave)
    best: tuple[_Effect, PrimaryFinding] | None = None
    for step in sorted({index for each in grave for index in (each.step, each.other) if index is not None}):
        own = [each for each in grave if step in (each.step, each.other)]
        is_settled = False
        for variant in (*_without_or_else(recipe.steps, step, own, context), *_move(recipe.steps, step)):
            if is_settled and variant.is_move:
                break
            tried = lint(replace(recipe, steps=variant.steps), context, interactions)
            after = Counter(_identity(each, variant.origin) for each in _grave(tried))
            gone, new = before - after, after - before
            is_settled = is_settled or not new
            others = [each for each in gone.elements() if each.steps != (step,)]
            is_better = _errors(gone) >= _errors(new) and len(others) >= new.total()
            effect = _effect(step, gone, new)
            if gone and is_better and (best is None or effect > best[0]):
                codes = tuple(sorted(each.code for each in others))
                best = effect, PrimaryFinding(step, min(own, key=_gravity), variant.change, codes)
    return best[1] if best else None


class _Identity(Record, frozen=True):
    """A finding's identity, independent of the order of the steps."""

    code: str
    severity: Severity
    steps: tuple[int, ...]
    at_fault: int | None
    """The step at fault: of a pair, the one that harms the other."""


class _Effect(NamedTuple):
    """What the correction of a step removes, minus what it adds, in the order in which it counts. What a step does to
    others counts before what concerns it alone: the primary finding is where the damage starts."""

    removes_errors: bool
    errors_for_others: int
    """Errors in which the step is at fault and another one suffers."""
    for_others: int
    """The same, with warnings."""
    removed: int
    """All findings that do not concern this step alone."""
    errors: int


def _effect(step: int, gone: Counter[_Identity], new: Counter[_Identity]) -> _Effect:
    caused = Counter({each: n for each, n in gone.items() if each.at_fault == step and each.steps != (step,)})
    others = sum(n for each, n in gone.items() if each.steps != (step,))
    errors = _errors(gone) - _errors(new)
    return _Effect(
        errors > 0, _errors(caused) - _errors(new), caused.total() - new.total(), others - new.total(), errors
    )


class _Variant(Record, frozen=True):
    """A recipe with one step changed."""

    change: str
    steps: tuple[RecipeStep, ...]
    origin: Sequence[int]
    """The original index of each step."""
    is_move: bool = False


def _without_or_else(
    steps: Sequence[RecipeStep], step: int, findings: Sequence[Finding], context: PlanningContext
) -> Iterator[_Variant]:
    kept = [index for index in range(len(steps)) if index != step]
    yield _Variant("without it", tuple(steps[index] for index in kept), kept)
    for finding in findings:
        changed = apply_remedy(steps, finding, context, [])
        if len(changed) == len(steps) and changed[step] != steps[step]:
            yield _Variant(f"as {changed[step].label}", tuple(changed), range(len(steps)))


def _move(steps: Sequence[RecipeStep], step: int) -> Iterator[_Variant]:
    kept = [index for index in range(len(steps)) if index != step]
    for position in range(len(steps)):
        if position != step:
            origin = [*kept[:position], step, *kept[position:]]
            where = f"before step {position + 1}" if position < step else f"after step {position + 1}"
            moved = tuple(steps[index] for index in origin)
            yield _Variant(f"{where} {steps[position].label}", moved, origin, is_move=True)


def _grave(judgement: LintResult) -> list[Finding]:
    return [each for each in judgement.findings if each.severity is not Severity.INFO]


def _gravity(finding: Finding) -> int:
    return list(Severity).index(finding.severity)


def _identity(finding: Finding, origin: Sequence[int]) -> _Identity:
    steps = sorted(origin[index] for index in (finding.step, finding.other) if index is not None)
    at_fault = None if finding.step is None else origin[finding.step]
    return _Identity(finding.code, finding.severity, tuple(steps), at_fault)


def _errors(found: Counter[_Identity]) -> int:
    return sum(count for each, count in found.items() if each.severity is Severity.ERROR)


def _cascade(judgement: LintResult, primary: int, context: PlanningContext) -> Iterator[InheritedFinding]:
    """The later techniques that read a damaged model: their own, or for distillation the teacher. Damage starts at the
    primary finding's step, and ends where the model is trained, and at a pair that the table calls good."""
    walk, placed = judgement.walked, context.placed(judgement.walked)
    good = {(each.step, each.other) for each in judgement.sound}
    damages = [each for each in _grave(judgement) if each.damages]
    damaged = [primary] if any(each.step == primary for each in damages) else []
    for each in walk.steps:
        technique = placed.techniques[each.index]
        if not (is_compression(technique) or technique.prepares):
            continue
        is_taught = technique.family is Family.DISTILLATION
        read = set(walk.joined_line(each.index) if is_taught else walk.line(each.index))
        of_pair = [found for found in damages if found.other == each.index and found.step in read]
        direct = {found.step for found in of_pair}
        through = tuple(
            index
            for index in damaged
            if index in read
            and (index, each.index) not in good
            and (index in direct or not placed.trainers(index, each.index))
        )
        if through:
            codes = [found.code for found in of_pair if found.step in through]
            yield InheritedFinding(each.index, _NEEDED[technique.family], through, tuple(dict.fromkeys(codes)))
            damaged.append(each.index)


def _omissions(judgement: LintResult, context: PlanningContext, interactions: Interactions) -> Iterator[Omission]:
    """The techniques without which the recipe stays possible and clean, and whose pairs are at most moderate in the
    table; the least costly first, then in the order in which the table would remove one of too many."""
    if not judgement.is_clean:
        return
    techniques = [each.step.technique(context.target) for each in judgement.walked.steps]
    compressions = [index for index, each in enumerate(techniques) if is_compression(each)]
    ranked = []
    for index in compressions if len(compressions) > 1 else ():
        steps = judgement.recipe.steps[:index] + judgement.recipe.steps[index + 1 :]
        if not lint(replace(judgement.recipe, steps=steps), context, interactions).is_clean:
            continue
        pairs = [each for each in (*judgement.findings, *judgement.sound) if each.other is not None]
        spoken = [each for each in pairs if index in (each.step, each.other)]
        cost = sum(1 if each.verdict is PairVerdict.GOOD else -1 for each in spoken)
        if spoken and cost <= 0:
            rank = _rank_to_leave_out(judgement.recipe.steps[index], interactions, context)
            ranked.append(((cost, rank, index), spoken))
    for (_, _, index), spoken in sorted(ranked, key=lambda each: each[0]):
        text = "; ".join(f"{each.title}: {each.verdict} ({each.code})" for each in spoken)
        yield Omission(index, text, tuple(each.code for each in spoken))


def _rank_to_leave_out(step: RecipeStep, interactions: Interactions, context: PlanningContext) -> int:
    """A step's rank among those that the rows on too many steps would remove first."""
    for row in interactions:
        if row.count is not None and row.remedy is not None and isinstance(row.remedy.remove, tuple):
            for rank, condition in enumerate(row.remedy.remove):
                if step_fits(condition, step.step.technique(context.target), step.role):
                    return rank
    return sys.maxsize
