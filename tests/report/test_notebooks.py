import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.padding import Padding
from rich.rule import Rule

import edgekit
from edgekit.builds.result import Build
from edgekit.report.notebooks import _html, html_report
from edgekit.report.tables import table

_VOID = {"br"}


class Nesting(HTMLParser):
    """Checks that elements are closed in order, and collects the cells of tables."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in _VOID:
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            self.cells[-1] += data


def cells(html: str) -> list[str]:
    nesting = Nesting()
    nesting.feed(html)
    assert not nesting.open
    return nesting.cells


def test_a_build_has_its_figures_and_gates(built: Build) -> None:
    html = html_report(built)
    found = cells(html)
    assert {"parity", "passed", "deployed"} <= set(found) and f"{built.targets[0].model_bytes:,} B" in found
    assert "bundle: " in html and "[green]" not in html


def test_a_bench_has_its_latency(conv_model: Path) -> None:
    found = edgekit.bench(conv_model, options=edgekit.BenchOptions(seconds=0.05))
    assert any(re.fullmatch(r"[\d.]+ ms", each) for each in cells(found._repr_html_()))


def test_a_plan_has_its_steps_and_findings() -> None:
    html = edgekit.plan(recipe="failed-int4-first", targets="rpi4")._repr_html_()
    assert "5 export" in cells(html) and re.search(r"<span[^>]*>error EK101</span>", html)


def test_text_is_escaped_and_other_renderables_are_text() -> None:
    made = table("<b>", "a")
    made.add_row("x < y & z\nnext")
    assert cells(_html(made)) == ["a", "x < y & znext"] and "&lt;b&gt;" in _html(made) and "<br>" in _html(made)
    assert _html(Padding("[bold]in[/]", (0, 0, 0, 2))).startswith('<div style="margin-left: 1em">')
    assert "<pre>" in _html(Rule()) and _html("") == ""


def test_a_result_without_a_report_is_an_error() -> None:
    with pytest.raises(KeyError):
        html_report("x")
