"""Printing of reports."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def print_tables(*tables: object) -> None:
    """Print rich renderables to standard output: 80 columns wide if it is not a terminal, wider if figures would
    otherwise be broken."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, emoji=False)
    widths = [_least_width(console, each) for each in tables if isinstance(each, Table)]
    console.width = max([console.width, *widths])
    for table in tables:
        console.print(table)


def _least_width(console: "Console", table: "Table") -> int:
    """The fewest columns in which no word and no unwrappable cell is broken."""
    wide = console.options.update(width=10_000)
    for column in table.columns:
        if column.no_wrap:
            column.min_width = max(console.measure(cell, options=wide).maximum for cell in column.cells)
    return console.measure(table, options=wide).minimum
