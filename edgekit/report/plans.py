"""The output of `edgekit plan`."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from rich.console import RenderableType
from rich.markup import escape
from rich.padding import Padding

from edgekit.builds.check import RecipeCheck
from edgekit.planning.advice import InheritedFinding, Omission, PrimaryFinding
from edgekit.planning.interactions import Severity
from edgekit.planning.lint import Undecided
from edgekit.planning.plan import PlannedStep
from edgekit.planning.recipe import RecipeStep, recipe_toml
from edgekit.report.tables import COLOURS, table
from edgekit.target import Target
from edgekit.traits import Facts, Format

SCHEMA = 1
COLUMNS = ("step", "needs", "gives", "keeps")
"""Of the table of steps."""


def plan_report(check: RecipeCheck) -> list[RenderableType]:
    """The steps, the findings, the primary finding with its consequences, the better recipe, and what could be
    omitted."""
    return [_steps(check), *_findings(check), *_primary(check), *_better(check), *_left_out(check), *_unknown(check)]


def plan_json(check: RecipeCheck) -> str:
    """The same as one JSON object; README documents it. Steps are counted from 1."""
    advice, steps = check.advice, check.recipe.steps
    proposal = advice.proposal.recipe
    found: dict[str, Any] = {
        "schema": SCHEMA,
        "recipe": check.recipe.name,
        "project": check.project.name if check.project else None,
        "targets": [each.id for each in check.targets],
        "steps": [_step_json(each) for each in check.judgement.walked.steps],
        "evidence": check.measured.source if check.measured else None,
        "findings": [each.to_json() for each in check.findings],
        "good": [each.to_json() for each in check.judgement.sound],
        "undecided": [{"code": each.code, "title": each.title, "needs": list(each.needs)} for each in check.undecided],
        "primary": _primary_json(advice.primary, steps) if advice.primary else None,
        "cascade": [_inherited_json(each, steps) for each in advice.cascade],
        "proposed": [_recipe_step_json(number, each) for number, each in enumerate(proposal.steps, start=1)],
        "changes": list(advice.proposal.changes),
        "remaining": [each.to_json() for each in advice.remaining],
        "omit": [_omission_json(each, proposal.steps) for each in advice.omissions],
    }
    return json.dumps(found, indent=2)


def proposal_toml(check: RecipeCheck) -> str:
    """The proposed recipe as a file, with the changes in comments."""
    proposal = check.advice.proposal
    name = check.recipe.name
    if not proposal.changes:
        return recipe_toml(proposal.recipe, [f"No change is needed in '{name}'."])
    comments = [
        f"The better recipe for '{name}': save it beside edgekit.toml as better.toml, and write there",
        'recipe = "better.toml" instead of [[steps]] or of another recipe. What was changed:',
        *proposal.changes,
        *(f"Still: {each.severity} {each.code}: {each.message}" for each in check.advice.remaining),
    ]
    return recipe_toml(replace(proposal.recipe, about=f"Replacement for '{name}'."), comments)


def _steps(check: RecipeCheck) -> RenderableType:
    whose = f" of {check.project.name}" if check.project else ""
    ids = ", ".join(each.id for each in check.targets)
    targets = f"for {ids}" if ids else "without a target"
    rows = table(escape(f"recipe {check.recipe.name}{whose}, {targets}"), *COLUMNS)
    rows.columns[0].no_wrap = True
    target = check.targets[0] if check.targets else None
    for each in check.judgement.walked.steps:
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
    """A technique's amount and kind."""
    technique = each.step.technique(target)
    bits = f"{technique.bits} bits" if technique.bits else ""
    granularity = f" per {technique.granularity}" if technique.granularity else ""
    share = f"{technique.sparsity:.0%} {technique.structure}" if technique.sparsity else ""
    return [text for text in (bits + granularity, share) if text]


def _options(each: RecipeStep) -> list[str]:
    items = {"bits", "granularity", "ratio", "sparsity"}
    return [f"{name} = {value}" for name, value in each.step.changed_options().items() if name not in items]


def _words(them: Facts) -> str:
    return " ".join(sorted(them, key=lambda each: (not isinstance(each, Format), each)))


def _findings(check: RecipeCheck) -> Iterator[RenderableType]:
    yield _heading("Findings")
    if check.measured is not None:
        yield _indent(escape(check.measured.summary()))
    if not check.findings:
        yield _indent("none")
    primary = check.advice.primary.finding if check.advice.primary else None
    shown_below = None if primary is None else (primary.code, primary.step, primary.other)
    for each in check.findings:
        names = " and ".join(
            _label(index, check.recipe.steps) for index in (each.step, each.other) if index is not None
        )
        target = f" ({each.target})" if each.target and len(check.targets) > 1 else ""
        yield f"[{COLOURS[each.severity]}]{each.severity} {each.code}[/]  {escape(names or 'the recipe')}{target}"
        yield _indent(each.message.removeprefix(f"{names}: "))
        if each.limits and (each.code, each.step, each.other) != shown_below:
            yield _indent(f"but: {each.limits}")
        if each.fix and each.severity is not Severity.INFO:
            yield _indent(f"fix: {each.fix}")
    if check.judgement.sound:
        codes = dict.fromkeys(each.code for each in check.judgement.sound)
        titles = {each.code: each.title for each in check.judgement.sound}
        yield f"[green]good[/]  {escape('; '.join(f'{titles[code]} ({code})' for code in codes))}"
    if check.findings or check.judgement.sound:
        yield _indent("edgekit explain CODE has the reason and the evidence")


def _primary(check: RecipeCheck) -> Iterator[RenderableType]:
    primary, steps = check.advice.primary, check.recipe.steps
    if primary is None:
        return
    yield _heading(f"Primary flaw: {_label(primary.step, steps)} ({primary.finding.code})")
    yield _indent(primary.finding.why)
    if primary.finding.limits:
        yield _indent(f"But: {primary.finding.limits}")
    if primary.vanishing:
        gone = ", ".join(f"{code} x {n}" if n > 1 else code for code, n in Counter(primary.vanishing).items())
        yield _indent(f"{primary.change[0].upper()}{primary.change[1:]}, these findings disappear: {gone}")
    if check.advice.cascade:
        yield _heading("Cascade")
    for each in check.advice.cascade:
        through = " and ".join(_label(index, steps) for index in each.through)
        codes = f" ({', '.join(each.codes)})" if each.codes else ""
        yield _indent(f"{_label(each.step, steps)} needs {each.needed}: invalidated by {through}{codes}")


def _better(check: RecipeCheck) -> Iterator[RenderableType]:
    proposal = check.advice.proposal
    if not proposal.changes:
        return
    yield _heading("Better recipe")
    yield _indent(", ".join(f"{number} {each.label}" for number, each in enumerate(proposal.recipe.steps, start=1)))
    for change in proposal.changes:
        if not change.startswith("order: "):
            yield _indent(f"- {change}")
    for each in check.advice.remaining:
        yield _indent(f"still: {each.severity} {each.code}: {each.message}")
    yield _indent("edgekit plan --fix prints it as a recipe")


def _left_out(check: RecipeCheck) -> Iterator[RenderableType]:
    if check.advice.omissions:
        yield _heading("Can be omitted" + (" of that" if check.advice.proposal.changes else ""))
    for each in check.advice.omissions:
        yield _indent(f"{_label(each.step, check.advice.proposal.recipe.steps)}: {each.reason}")


def _unknown(check: RecipeCheck) -> Iterator[RenderableType]:
    """What could not be decided, by what is unknown, and how to find it out."""
    if not check.undecided:
        return
    yield _heading("Unknown, therefore not checked")
    for needs, codes in _by_need(check.undecided).items():
        yield _indent(f"{needs}: {', '.join(codes)}")
    ways = [] if check.targets else ["--target ID names the device"]
    if check.project is None:
        ways.append("in a project folder, edgekit knows more about the model")
    elif any(each is None for each in check.surveys.values()):
        ways.append("--inspect examines the model")
    if ways:
        yield _indent("; ".join(ways))


def _by_need(undecided: Sequence[Undecided]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in undecided:
        found.setdefault(", ".join(each.needs), []).append(each.code)
    return found


def _heading(text: str) -> str:
    return f"\n[bold]{escape(text)}[/]"


def _indent(text: str) -> Padding:
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


def _primary_json(primary: PrimaryFinding, steps: Sequence[RecipeStep]) -> dict[str, Any]:
    return {
        "step": primary.step + 1,
        "label": steps[primary.step].label,
        "code": primary.finding.code,
        "reason": primary.finding.why,
        "limits": primary.finding.limits,
        "change": primary.change,
        "vanishing": list(primary.vanishing),
    }


def _inherited_json(each: InheritedFinding, steps: Sequence[RecipeStep]) -> dict[str, Any]:
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
