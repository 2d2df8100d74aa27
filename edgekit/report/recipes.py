"""The output of `edgekit recipes`."""

import json
from collections.abc import Sequence
from typing import Any

from rich.console import RenderableType
from rich.markup import escape

from edgekit.planning.interactions import Severity
from edgekit.planning.lint import LintResult
from edgekit.planning.options import options_of
from edgekit.planning.recipe import (
    RECOMMENDED,
    RECOMMENDED_FOR_FILES,
    RECOMMENDED_FOR_INTEGERS,
    RECOMMENDED_FOR_TRANSFORMER_FILES,
    RECOMMENDED_FOR_TRANSFORMERS,
    RecipeStep,
)
from edgekit.report.tables import COLOURS, table

SCHEMA = 1

_TAKEN = (
    RECOMMENDED,
    RECOMMENDED_FOR_TRANSFORMERS,
    RECOMMENDED_FOR_FILES,
    RECOMMENDED_FOR_TRANSFORMER_FILES,
    RECOMMENDED_FOR_INTEGERS,
)


def recipes_report(judged: Sequence[LintResult]) -> RenderableType:
    """One row per recipe: its purpose, and the findings that hold for any model and target."""
    rows = table("", "recipe", "about", "findings")
    rows.columns[0].no_wrap = True
    for each in judged:
        name = each.recipe.name
        rows.add_row(f"{name} *" if name in _TAKEN else name, escape(each.recipe.about), _in_a_word(each))
    rows.caption = (
        f"* a default: {RECOMMENDED}, or {RECOMMENDED_FOR_TRANSFORMERS} for a transformer; for an ONNX file "
        f"{RECOMMENDED_FOR_FILES}, or {RECOMMENDED_FOR_TRANSFORMER_FILES} for a transformer, or "
        f"{RECOMMENDED_FOR_INTEGERS} if it is quantized"
    )
    rows.caption_justify = "left"
    return rows


def recipes_json(judged: Sequence[LintResult]) -> str:
    """The same as one JSON object."""
    return json.dumps({"schema": SCHEMA, "recipes": [_json(each) for each in judged]}, indent=2)


def recipe_report(judged: LintResult) -> list[RenderableType]:
    """The steps of one recipe with all their options, and its findings."""
    rows = table(judged.recipe.name, "step", "option", "value", "may be")
    rows.columns[0].no_wrap = True
    meanings = table("", "option", "meaning")
    values: dict[str, str] = {}
    for number, each in enumerate(judged.recipe.steps, start=1):
        changed = each.step.changed_options()
        options = options_of(each.step)
        for one in options:
            value = f"{_value(one.value)}{' *' if one.name in changed else ''}"
            rows.add_row(f"{number} {each.label}" if one is options[0] else "", one.name, value, one.allowed)
            if one.meaning:
                values[f"{one.name} ({each.step.name()})"] = one.meaning
        if not options:
            rows.add_row(f"{number} {each.label}", "", "", "")
    if any(each.step.changed_options() for each in judged.recipe.steps):
        rows.caption, rows.caption_justify = "* not the default", "left"
    for name, meaning in values.items():
        meanings.add_row(name, escape(meaning))
    about = [escape(judged.recipe.about)] if judged.recipe.about else []
    if judged.recipe.fallback:
        about.append(f"Fallback, unless the project names this recipe: {escape(judged.recipe.fallback)}.")
    return [
        *about,
        rows,
        meanings,
        f"findings: {_in_a_word(judged)}; edgekit plan --recipe checks it for a model and a target",
    ]


def recipe_json(judged: LintResult) -> str:
    """The same as one JSON object."""
    return json.dumps({"schema": SCHEMA, **_json(judged)}, indent=2)


def _in_a_word(judged: LintResult) -> str:
    found = {severity: [each for each in judged.findings if each.severity is severity] for severity in Severity}
    grave = [severity for severity in (Severity.ERROR, Severity.WARNING) if found[severity]]
    if not grave:
        return "[green]sound[/]"
    parts = []
    for severity in grave:
        codes = ", ".join(dict.fromkeys(each.code for each in found[severity]))
        plural = "s" if len(found[severity]) > 1 else ""
        parts.append(f"[{COLOURS[severity]}]{len(found[severity])} {severity}{plural}[/] ({codes})")
    return ", ".join(parts)


def _json(judged: LintResult) -> dict[str, Any]:
    return {
        "name": judged.recipe.name,
        "about": judged.recipe.about,
        "recommended": judged.recipe.name in _TAKEN,
        "steps": [_step_json(each) for each in judged.recipe.steps],
        "findings": [{"code": each.code, "severity": each.severity} for each in judged.findings],
    }


def _step_json(each: RecipeStep) -> dict[str, Any]:
    options = {
        one.name: {"value": one.value, "allowed": one.allowed, "meaning": one.meaning} for one in options_of(each.step)
    }
    return {"use": each.step.name(), "role": each.role, "options": options}


def _value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
