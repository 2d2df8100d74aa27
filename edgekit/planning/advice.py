"""Judgement -> Advice: the primary flaw, what inherits its damage, a better recipe, and what that could do without."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from edgekit.contract.technique import Family
from edgekit.planning.interactions import Interactions, PairVerdict, Severity, step_fits
from edgekit.planning.lint import Finding, LintResult, PlanningContext, is_compression, lint, merge_findings
from edgekit.planning.recipe import RecipeStep
from edgekit.planning.remedies import Proposal, apply_remedy, propose
from edgekit.records import Record

_NEEDED = {
    Family.DISTILLATION: "a teacher that knows what it was trained for",
    Family.PRUNING: "magnitudes that tell which weights matter",
    Family.QUANTIZATION: "weights that nothing has rounded or cut without training them on",
}
"""What a technique builds on, by family."""


class PrimaryFinding(Record, frozen=True):
    """The misstep without which most other findings vanish."""

    step: int
    finding: Finding
    """The gravest that it is the culprit of."""
    change: str
    """To this step alone, by which the findings vanish."""
    vanishing: tuple[str, ...]
    """The codes of the other steps' findings, and of those shared with them, that go with it; one for each finding."""


class InheritedFinding(Record, frozen=True):
    """A later step that gets a damaged model."""

    step: int
    needed: str
    """What it builds on and no longer gets."""
    through: tuple[int, ...]
    """The steps that did the damage, in order."""
    codes: tuple[str, ...]
    """The findings that say so; none where the damage comes through another step."""


class Omission(Record, frozen=True):
    """A step of the proposed recipe that it can do without."""

    step: int
    reason: str
    codes: tuple[str, ...]


class Advice(Record, frozen=True):
    primary: PrimaryFinding | None
    """None where nothing worse than info was found."""
    cascade: tuple[InheritedFinding, ...]
    """Empty where the primary flaw makes the recipe impossible: what cannot run damages nothing."""
    proposal: Proposal
    """The recipe itself where it is clean."""
    remaining: tuple[Finding, ...]
    """The proposed recipe's errors and warnings: what no change was found for."""
    omissions: tuple[Omission, ...]
    """The one that costs least first."""

    @property
    def has_errors(self) -> bool:
        """Whether the proposed recipe still has errors."""
        return any(each.severity is Severity.ERROR for each in self.remaining)


def advise(
    judgement: LintResult,
    surroundings: PlanningContext,
    interactions: Interactions,
    others: Sequence[PlanningContext] = (),
) -> Advice:
    """What a consultant would say of a recipe, by trying changes and judging again. Nothing is trained. What is
    proposed is to do for `others`, further targets, as well."""
    primary = _primary(judgement, surroundings, interactions)
    proposal = propose(judgement.recipe, surroundings, interactions)
    for each in others:
        further = propose(proposal.recipe, each, interactions)
        changes = (*proposal.changes, *further.changes)
        proposal = Proposal(lint(further.recipe, surroundings, interactions), changes)
    proposed_for = [proposal.judgement, *(lint(proposal.recipe, each, interactions) for each in others)]
    return Advice(
        primary,
        tuple(_cascade(judgement, primary.step, surroundings)) if primary and primary.finding.can_be_allowed else (),
        proposal,
        tuple(each for each in merge_findings(proposed_for) if each.severity is not Severity.INFO),
        tuple(_omissions(proposal.judgement, surroundings, interactions)),
    )


def _primary(judgement: LintResult, surroundings: PlanningContext, interactions: Interactions) -> PrimaryFinding | None:
    """Each step that a finding speaks of is removed, replaced, or, where nothing else does, moved, and the recipe
    judged again. What counts is what vanishes of the errors, then of the findings that are not of this step alone, less
    what is new. Of two steps that count the same it is the earlier: damage flows on."""
    recipe, grave = judgement.recipe, _grave(judgement)
    before = Counter(_identity(each, range(len(recipe.steps))) for each in grave)
    best: tuple[tuple[int, int], PrimaryFinding] | None = None
    for step in sorted({index for each in grave for index in (each.step, each.other) if index is not None}):
        own = [each for each in grave if step in (each.step, each.other)]
        is_settled = False
        for variant in (*_without_or_else(recipe.steps, step, own, surroundings), *_move(recipe.steps, step)):
            if is_settled and variant.is_move:
                break
            tried = lint(replace(recipe, steps=variant.steps), surroundings, interactions)
            after = Counter(_identity(each, variant.origin) for each in _grave(tried))
            gone, new = before - after, after - before
            is_settled = is_settled or not new
            others = [each for each in gone.elements() if each.steps != (step,)]
            count = (_errors(gone) - _errors(new), len(others) - new.total())
            if gone and min(count) >= 0 and (best is None or count > best[0]):
                codes = tuple(sorted(each.code for each in others))
                best = count, PrimaryFinding(step, min(own, key=_gravity), variant.change, codes)
    return best[1] if best else None


class _Identity(Record, frozen=True):
    """A finding, whatever the order of the steps has become."""

    code: str
    severity: Severity
    steps: tuple[int, ...]


class _Variant(Record, frozen=True):
    """A recipe with one step changed."""

    change: str
    steps: tuple[RecipeStep, ...]
    origin: Sequence[int]
    """Which step of the recipe each of these was."""
    is_move: bool = False


def _without_or_else(
    steps: Sequence[RecipeStep], step: int, findings: Sequence[Finding], surroundings: PlanningContext
) -> Iterator[_Variant]:
    kept = [index for index in range(len(steps)) if index != step]
    yield _Variant("without it", tuple(steps[index] for index in kept), kept)
    for finding in findings:
        changed = apply_remedy(steps, finding, surroundings, [])
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
    return _Identity(finding.code, finding.severity, tuple(steps))


def _errors(found: Counter[_Identity]) -> int:
    return sum(count for each, count in found.items() if each.severity is Severity.ERROR)


def _cascade(judgement: LintResult, primary: int, surroundings: PlanningContext) -> Iterator[InheritedFinding]:
    """The later techniques whose model, or whose teacher, comes through the primary flaw."""
    walk = judgement.walked
    damaging = [primary]
    for each in walk.steps:
        technique = each.step.technique(surroundings.target)
        before = {*walk.line(each.index), *walk.joined_line(each.index)}
        if primary not in before or not (is_compression(technique) or technique.prepares):
            continue
        through = tuple(index for index in damaging if index in before)
        codes = [
            finding.code for finding in _grave(judgement) if finding.other == each.index and finding.step in through
        ]
        yield InheritedFinding(each.index, _NEEDED[technique.family], through, tuple(dict.fromkeys(codes)))
        damaging.append(each.index)


def _omissions(judgement: LintResult, surroundings: PlanningContext, interactions: Interactions) -> Iterator[Omission]:
    """The techniques without which the recipe stays possible and clean, and of whose pairs the table calls no more good
    than moderate; what costs least first, then what the table would leave out first of too many."""
    if not judgement.is_clean:
        return
    techniques = [each.step.technique(surroundings.target) for each in judgement.walked.steps]
    compressions = [index for index, each in enumerate(techniques) if is_compression(each)]
    ranked = []
    for index in compressions if len(compressions) > 1 else ():
        steps = judgement.recipe.steps[:index] + judgement.recipe.steps[index + 1 :]
        if not lint(replace(judgement.recipe, steps=steps), surroundings, interactions).is_clean:
            continue
        pairs = [each for each in (*judgement.findings, *judgement.sound) if each.other is not None]
        spoken = [each for each in pairs if index in (each.step, each.other)]
        cost = sum(1 if each.verdict is PairVerdict.GOOD else -1 for each in spoken)
        if spoken and cost <= 0:
            rank = _rank_to_leave_out(judgement.recipe.steps[index], interactions, surroundings)
            ranked.append(((cost, rank, index), spoken))
    for (_, _, index), spoken in sorted(ranked, key=lambda each: each[0]):
        text = "; ".join(f"{each.title}: {each.verdict} ({each.code})" for each in spoken)
        yield Omission(index, text, tuple(each.code for each in spoken))


def _rank_to_leave_out(step: RecipeStep, interactions: Interactions, surroundings: PlanningContext) -> int:
    """The place of a step among those that the rows on too many steps would remove first."""
    for row in interactions:
        if row.count is not None and row.remedy is not None and isinstance(row.remedy.remove, tuple):
            for rank, condition in enumerate(row.remedy.remove):
                if step_fits(condition, step.step.technique(surroundings.target), step.role):
                    return rank
    return sys.maxsize
