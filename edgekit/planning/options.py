"""The options of a step as shown to users: value, allowed values, meaning."""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from edgekit.contract.step import Step
from edgekit.records import schema_of


@dataclass(frozen=True)
class Option:
    name: str
    value: Any
    """The value in the recipe, or the default."""
    allowed: str
    meaning: str
    """Empty if the name explains itself."""


def options_of(step: Step) -> tuple[Option, ...]:
    """Every option of a step."""
    allowed = schema_of(type(step))["properties"] if fields(step) else {}
    meanings = {name: text for kind in reversed(type(step).__mro__) for name, text in _meanings(kind)}
    return tuple(
        Option(name, value, _allowed_values(allowed[name]), meanings.get(name, ""))
        for name, value in step.options().items()
    )


def _allowed_values(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_allowed_values(each) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if schema["type"] == "boolean":
        return "true, false"
    signs = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    ends = [f"{sign} {schema[name]:g}" for name, sign in signs.items() if name in schema]
    return ", ".join([str(schema["type"]), *ends])


def _meanings(kind: type) -> Iterator[tuple[str, str]]:
    """The docstring below each field in a class's source."""
    if not issubclass(kind, Step):
        return
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(tree, ast.ClassDef)
    for field, below in zip(tree.body, tree.body[1:], strict=False):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            yield field.target.id, inspect.cleandoc(str(below.value.value)).replace("\n", " ")
