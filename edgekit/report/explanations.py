"""The output of `edgekit explain`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from edgekit.planning.explanations import Answer, Explanation
from edgekit.planning.glossary import Term
from edgekit.planning.interactions import Interactions
from edgekit.planning.order_page import Section
from edgekit.report.tables import COLOURS, table

SCHEMA = 1


_FULL = 3
"""The most findings on one technique that are shown in full; more are listed."""


def answer_report(answer: Answer, interactions: Interactions) -> list[RenderableType]:
    """The page, the meanings of words, and the findings: in full, or as a list if there are many."""
    if answer.page:
        return [
            *(part for section in answer.page.sections for part in _section(section, interactions)),
            escape(answer.page.about),
        ]
    if not answer.terms:
        return [part for each in answer.findings for part in _whole(each)]
    if len(answer.terms) > 2:
        return [_glossary(answer.terms)]
    meanings = [part for term in answer.terms for part in _meaning(term)]
    if not all(each.is_technique for each in answer.terms):
        return meanings
    if len(answer.terms) == 2:
        orders = (answer.terms, answer.findings), (answer.terms[::-1], answer.reverse)
        return [*meanings, *(part for terms, found in orders for part in _order(terms, found))]
    if len(answer.findings) <= _FULL:
        return [*meanings, *(part for each in answer.findings for part in _whole(each))]
    return [
        *meanings,
        codes_report(answer.findings),
        "edgekit explain CODE has the reason, the evidence and an example",
    ]


def codes_report(items: Sequence[Explanation]) -> RenderableType:
    """One line per finding."""
    rows = table("", "code", "verdict", "finding")
    for each in items:
        rows.add_row(each.code, _verdict(each), escape(each.title))
    return rows


def answer_json(answer: Answer) -> str:
    """The same as one JSON object."""
    return json.dumps({"schema": SCHEMA, **answer.to_json()}, indent=2)


def _order(terms: Sequence[Term], findings: Sequence[Explanation]) -> Iterator[RenderableType]:
    """What is known of two techniques in one order."""
    yield f"[bold underline]{escape(terms[0].name)}, then {escape(terms[1].name)}[/]"
    if not findings:
        yield escape("  the table says nothing of this order")
        yield ""
    for each in findings:
        yield from _whole(each)


def _meaning(term: Term) -> Iterator[RenderableType]:
    rows = _grid()
    rows.add_row("  means", escape(term.means))
    if term.steps:
        rows.add_row("  steps", escape(", ".join(term.steps)))
    if term.missing:
        rows.add_row("  no step", escape(term.missing))
    yield f"[bold]{escape(term.name)}[/]"
    yield rows
    yield ""


def _glossary(terms: Sequence[Term]) -> RenderableType:
    rows = table("", "word", "means")
    for each in terms:
        missing = f" edgekit has no step for it: {each.missing}." if each.missing else ""
        rows.add_row(escape(each.name), escape(f"{each.means}{missing}"))
    return rows


def _section(section: Section, interactions: Interactions) -> Iterator[RenderableType]:
    yield f"[bold]{escape(section.question)}[/]"
    rows = _grid()
    rows.add_row("", escape(section.answer))
    for code, statement in section.evidence(interactions):
        rows.add_row(f"  {code}", escape(statement))
    rows.add_row("  but", escape(section.limits))
    yield rows
    yield ""


def _grid() -> Table:
    rows = Table.grid(padding=(0, 2, 0, 0))
    rows.add_column(min_width=10)
    rows.add_column(overflow="fold")
    return rows


def _whole(each: Explanation) -> Iterator[RenderableType]:
    yield f"[bold]{each.code}[/]  {_verdict(each)}  {escape(each.title)}"
    rows = _grid()
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
