"""What `edgekit plan` prints."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from rich.console import RenderableType
from rich.markup import escape
from rich.padding import Padding

from edgekit.builds.check import Consultation
from edgekit.planning.advice import Inherited, Omission, Primary
from edgekit.planning.interactions import Severity
from edgekit.planning.lint import Undecided
from edgekit.planning.plan import PlannedStep
from edgekit.planning.recipe import RecipeStep, recipe_toml
from edgekit.report.tables import COLOURS, table
from edgekit.target import Target
from edgekit.traits import Facts, Format

SCHEMA = 1


def plan_report(told: Consultation) -> list[RenderableType]:
    """The steps, the findings, the primary flaw and its cascade, the better order, and what could be left out."""
    return [_steps(told), *_findings(told), *_primary(told), *_better(told), *_left_out(told), *_unknown(told)]


def plan_json(told: Consultation) -> str:
    """The same as one JSON object, for machines; README documents it. Steps are counted from 1."""
    advice, steps = told.advice, told.recipe.steps
    proposal = advice.proposal.recipe
    found: dict[str, Any] = {
        "schema": SCHEMA,
        "recipe": told.recipe.name,
        "project": told.project.name if told.project else None,
        "targets": [each.id for each in told.targets],
        "steps": [_step_json(each) for each in told.judgement.walked.steps],
        "evidence": told.measured.source if told.measured else None,
        "findings": [each.to_json() for each in told.findings],
        "good": [each.to_json() for each in told.judgement.sound],
        "undecided": [{"code": each.code, "title": each.title, "needs": list(each.needs)} for each in told.undecided],
        "primary": _primary_json(advice.primary, steps) if advice.primary else None,
        "cascade": [_inherited_json(each, steps) for each in advice.cascade],
        "proposed": [_recipe_step_json(number, each) for number, each in enumerate(proposal.steps, start=1)],
        "changes": list(advice.proposal.changes),
        "remaining": [each.to_json() for each in advice.remaining],
        "omit": [_omission_json(each, proposal.steps) for each in advice.omissions],
    }
    return json.dumps(found, indent=2)


def fixed_toml(told: Consultation) -> str:
    """The proposed recipe as a file, with what was changed in comments."""
    proposal = told.advice.proposal
    name = told.recipe.name
    if not proposal.changes:
        return recipe_toml(proposal.recipe, [f"Nothing to change in '{name}'."])
    comments = [
        f"The better order for '{name}': save it beside edgekit.toml as better.toml, and write there",
        'recipe = "better.toml" in the place of [[steps]] or of another recipe. What was changed:',
        *proposal.changes,
        *(f"Still: {each.severity} {each.code}: {each.message}" for each in told.advice.remaining),
    ]
    return recipe_toml(replace(proposal.recipe, about=f"In the place of '{name}'."), comments)


def _steps(told: Consultation) -> RenderableType:
    whose = f" of {told.project.name}" if told.project else ""
    targets = ", ".join(each.id for each in told.targets) or "a target not named"
    rows = table(escape(f"recipe {told.recipe.name}{whose}, for {targets}"), "step", "needs", "gives", "keeps")
    rows.columns[0].no_wrap = True
    target = told.targets[0] if told.targets else None
    for each in told.judgement.walked.steps:
        contract = each.step.contract
        needs = [_words(contract.requires), *(f"{role}: {_words(them)}" for role, them in contract.joins.items())]
        rows.add_row(
            escape("\n    ".join([f"{each.index + 1} {each.label}", *_technique(each, target), *_options(each)])),
            "\n".join(needs),
            _words(contract.provides),
            _words(contract.preserves),
        )
    return rows


def _technique(each: RecipeStep, target: Target | None) -> list[str]:
    """How much a step takes, and of what."""
    technique = each.step.technique(target)
    bits = f"{technique.bits} bits" if technique.bits else ""
    granularity = f" per {technique.granularity}" if technique.granularity else ""
    share = f"{technique.sparsity:.0%} {technique.structure}" if technique.sparsity else ""
    return [text for text in (bits + granularity, share) if text]


def _options(each: RecipeStep) -> list[str]:
    told = {"bits", "granularity", "ratio", "sparsity"}
    return [f"{name} = {value}" for name, value in each.step.changed_options().items() if name not in told]


def _words(them: Facts) -> str:
    return " ".join(sorted(them, key=lambda each: (not isinstance(each, Format), each)))


def _findings(told: Consultation) -> Iterator[RenderableType]:
    yield _heading("Findings")
    if told.measured is not None:
        yield _indented(escape(told.measured.summary()))
    if not told.findings:
        yield _indented("none")
    for each in told.findings:
        names = " and ".join(_label(index, told.recipe.steps) for index in (each.step, each.other) if index is not None)
        target = f" ({each.target})" if each.target and len(told.targets) > 1 else ""
        yield f"[{COLOURS[each.severity]}]{each.severity} {each.code}[/]  {escape(names or 'the recipe')}{target}"
        yield _indented(each.message.removeprefix(f"{names}: "))
        if each.fix and each.severity is not Severity.INFO:
            yield _indented(f"fix: {each.fix}")
    if told.judgement.sound:
        codes = dict.fromkeys(each.code for each in told.judgement.sound)
        titles = {each.code: each.title for each in told.judgement.sound}
        yield f"[green]good[/]  {escape('; '.join(f'{titles[code]} ({code})' for code in codes))}"
    if told.findings or told.judgement.sound:
        yield _indented("edgekit explain CODE has the reason and the evidence")


def _primary(told: Consultation) -> Iterator[RenderableType]:
    primary, steps = told.advice.primary, told.recipe.steps
    if primary is None:
        return
    yield _heading(f"Primary flaw: {_label(primary.step, steps)} ({primary.finding.code})")
    yield _indented(primary.finding.why)
    if primary.vanishing:
        gone = ", ".join(f"{code} x {n}" if n > 1 else code for code, n in Counter(primary.vanishing).items())
        yield _indented(f"{primary.change[0].upper()}{primary.change[1:]}, these findings vanish: {gone}")
    if told.advice.cascade:
        yield _heading("Cascade")
    for each in told.advice.cascade:
        through = " and ".join(_label(index, steps) for index in each.through)
        codes = f" ({', '.join(each.codes)})" if each.codes else ""
        yield _indented(f"{_label(each.step, steps)} needs {each.needed}: damaged by {through}{codes}")


def _better(told: Consultation) -> Iterator[RenderableType]:
    proposal = told.advice.proposal
    if not proposal.changes:
        return
    yield _heading("Better order")
    yield _indented(", ".join(f"{number} {each.label}" for number, each in enumerate(proposal.recipe.steps, start=1)))
    for change in proposal.changes:
        if not change.startswith("order: "):
            yield _indented(f"- {change}")
    for each in told.advice.remaining:
        yield _indented(f"still: {each.severity} {each.code}: {each.message}")
    yield _indented("edgekit plan --fix prints it as a recipe")


def _left_out(told: Consultation) -> Iterator[RenderableType]:
    if told.advice.omissions:
        yield _heading("Could be left out" + (" of that" if told.advice.proposal.changes else ""))
    for each in told.advice.omissions:
        yield _indented(f"{_label(each.step, told.advice.proposal.recipe.steps)}: {each.reason}")


def _unknown(told: Consultation) -> Iterator[RenderableType]:
    """What could not be judged, by what is not known, and how to make it known."""
    if not told.undecided:
        return
    yield _heading("Not known, and so not judged")
    for needs, codes in _by_need(told.undecided).items():
        yield _indented(f"{needs}: {', '.join(codes)}")
    ways = [] if told.targets else ["--target ID names the device"]
    if told.project is None:
        ways.append("in a project's folder more is known of the model")
    elif any(each is None for each in told.surveys.values()):
        ways.append("--inspect looks at the model")
    if ways:
        yield _indented("; ".join(ways))


def _by_need(undecided: Sequence[Undecided]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in undecided:
        found.setdefault(", ".join(each.needs), []).append(each.code)
    return found


def _heading(text: str) -> str:
    return f"\n[bold]{escape(text)}[/]"


def _indented(text: str) -> Padding:
    return Padding(escape(text), (0, 0, 0, 2))


def _label(index: int, steps: Sequence[RecipeStep]) -> str:
    return f"step {index + 1} {steps[index].label}"


def _recipe_step_json(number: int, each: RecipeStep) -> dict[str, Any]:
    return {"step": number, "use": each.step.name(), "role": each.role, "options": each.step.options()}


def _step_json(each: PlannedStep) -> dict[str, Any]:
    contract = each.step.contract
    needs = {each.role: contract.requires, **contract.joins}
    return {
        **_recipe_step_json(each.index + 1, each),
        "needs": {role: sorted(them) for role, them in needs.items()},
        "gives": sorted(contract.provides),
        "keeps": sorted(contract.preserves),
    }


def _primary_json(primary: Primary, steps: Sequence[RecipeStep]) -> dict[str, Any]:
    return {
        "step": primary.step + 1,
        "label": steps[primary.step].label,
        "code": primary.finding.code,
        "reason": primary.finding.why,
        "change": primary.change,
        "vanishing": list(primary.vanishing),
    }


def _inherited_json(each: Inherited, steps: Sequence[RecipeStep]) -> dict[str, Any]:
    return {
        "step": each.step + 1,
        "label": steps[each.step].label,
        "needed": each.needed,
        "through": [index + 1 for index in each.through],
        "codes": list(each.codes),
    }


def _omission_json(each: Omission, steps: Sequence[RecipeStep]) -> dict[str, Any]:
    return {
        "step": each.step + 1,
        "label": steps[each.step].label,
        "reason": each.reason,
        "codes": list(each.codes),
    }
