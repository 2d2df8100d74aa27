"""Elements that all reports share."""

from rich import box
from rich.table import Table

from edgekit.planning.interactions import Severity
from edgekit.wording import format_metric

COLOURS = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
MARKS = {
    "passed": "[green]passed[/]",
    "failed": "[bold red]FAILED[/]",
    "not_run": "[yellow]not run[/]",
    "undecided": "[yellow]undecided[/]",
}


def table(title: str, *columns: str, numeric: frozenset[int] = frozenset()) -> Table:
    """An empty table for 80 columns; `numeric` columns are right-aligned and never wrapped."""
    made = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, title_style="bold")
    for number, name in enumerate(columns):
        if number in numeric:
            made.add_column(name, justify="right", no_wrap=True)
        else:
            made.add_column(name, overflow="fold")
    return made


def with_unit(value: float, unit: str) -> str:
    """A figure with its unit for display."""
    if unit == "bytes":
        if value < 1_000_000:
            return f"{value:,.0f} B"
        return f"{value / 1e6:.1f} MB" if value < 10_000_000_000 else f"{value / 1e9:.1f} GB"
    if unit in ("ms", "mJ"):
        return f"{value:.3g} {unit}" if value < 1000 else f"{value:,.0f} {unit}"
    if unit == "ratio":
        return f"{value:.3f}"
    if unit == "count":
        return f"{value:,.0f}"
    if unit == "cosine":
        return format_metric(value, unit)
    return f"{format_metric(value, unit)} {'%' if unit.startswith('%') else unit}"
