"""The output of `edgekit explain`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from edgekit.planning.explanations import Explanation
from edgekit.report.tables import COLOURS, table

SCHEMA = 1


def codes_report(items: Sequence[Explanation]) -> RenderableType:
    """One line per finding."""
    rows = table("", "code", "verdict", "finding")
    for each in items:
        rows.add_row(each.code, _verdict(each), escape(each.title))
    return rows


def explanations_report(items: Sequence[Explanation]) -> list[RenderableType]:
    """Each explanation in full."""
    return [part for each in items for part in _whole(each)]


def explanations_json(items: Sequence[Explanation]) -> str:
    """The same as one JSON object."""
    return json.dumps({"schema": SCHEMA, "findings": [each.to_json() for each in items]}, indent=2)


def _whole(each: Explanation) -> Iterator[RenderableType]:
    yield f"[bold]{each.code}[/]  {_verdict(each)}  {escape(each.title)}"
    rows = Table.grid(padding=(0, 2, 0, 0))
    rows.add_column(min_width=10)
    rows.add_column(overflow="fold")
    lines = [("  when", each.rule), ("  because", each.why), ("  but", each.limits), ("  fix", each.fix)]
    lines += [(f"  {one.kind}", f"{one.source}: {one.statement}") for one in each.evidence]
    if each.example is not None:
        example, silent_given = each.example, each.example.silent_given
        lines += [("  found in", _example(example.triggers, example.given))]
        lines += [("  not in", _example(example.silent, example.given if silent_given is None else silent_given))]
    for name, text in lines:
        if text:
            rows.add_row(name, escape(text))
    yield rows
    yield ""


def _verdict(each: Explanation) -> str:
    return f"[{COLOURS[each.severity]}]{each.severity}[/]" if each.severity else "[green]good[/]"


def _example(words: str, given: Mapping[str, Any]) -> str:
    around = ", ".join(f"{name} {_row(value)}" for name, value in given.items())
    return f"{words} ({around})" if around else words


def _row(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)
