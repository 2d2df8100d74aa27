"""Reports as HTML, for notebooks."""

from collections.abc import Callable, Mapping
from functools import cache
from html import escape
from io import StringIO
from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from edgekit.benchmarking.bench import Bench
from edgekit.builds.check import RecipeCheck
from edgekit.builds.result import Build
from edgekit.encoding import printable
from edgekit.report.benches import bench_report
from edgekit.report.builds import build_report
from edgekit.report.plans import plan_report
from edgekit.report.terminal import ReportConsole

_REPORTS: Mapping[type, Callable[[Any], list[RenderableType]]] = {
    Build: build_report,
    Bench: bench_report,
    RecipeCheck: plan_report,
}
_INDENT_EM = 0.5
"""Of one column of padding."""


def html_report(result: object) -> str:
    """The report of a build, a bench or a plan: tables as HTML tables, other lines as paragraphs. Raises KeyError for a
    result of another type."""
    parts = _REPORTS[type(result)](result)
    return f"<div>{''.join(_html(each) for each in parts)}</div>"


def _html(part: RenderableType) -> str:
    if isinstance(part, Table):
        return _table(part)
    if isinstance(part, Padding):
        left = f"margin-left: {part.left * _INDENT_EM:g}em"
        return f'<div style="{left}">{_html(part.renderable)}</div>'
    text = _inline(part)
    return f'<p style="margin: 0.3em 0">{text}</p>' if text else ""


def _table(table: Table) -> str:
    title = f'<caption style="text-align: left">{_inline(table.title)}</caption>' if table.title else ""
    head = "".join(_cell("th", column.justify, column.header) for column in table.columns)
    columns = [[_cell("td", column.justify, cell) for cell in column.cells] for column in table.columns]
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in zip(*columns, strict=True))
    heads = f"<thead><tr>{head}</tr></thead>" if table.show_header else ""
    return f'<table style="margin: 0.6em 0">{title}{heads}<tbody>{body}</tbody></table>'


def _cell(tag: str, justify: str, content: RenderableType) -> str:
    side = "right" if justify == "right" else "left"
    return f'<{tag} style="text-align: {side}; vertical-align: top; padding: 0 0.5em">{_inline(content)}</{tag}>'


def _inline(content: RenderableType) -> str:
    """Text with its styles; other renderables as the text that a terminal shows."""
    if isinstance(content, str):
        content = Text.from_markup(content)
    if not isinstance(content, Text):
        with _console().capture() as shown:
            _console().print(content)
        return f"<pre>{escape(shown.get())}</pre>"
    found = []
    for segment in content.render(_console(), end=""):
        text = escape(printable(segment.text)).replace("\n", "<br>")
        style = segment.style.get_html_style() if segment.style else ""
        found.append(f'<span style="{style}">{text}</span>' if style else text)
    return "".join(found)


@cache
def _console() -> ReportConsole:
    return ReportConsole(file=StringIO(), width=100)
