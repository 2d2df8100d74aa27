"""Printing of reports."""

from typing import TYPE_CHECKING

import click

from edgekit.encoding import one_line, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def echo(text: object, *, err: bool = False, nl: bool = True) -> None:
    """`click.echo` of text in which no character controls the terminal."""
    click.echo(printable(str(text)), err=err, nl=nl)


def echo_line(text: str, *, err: bool = False) -> None:
    """`echo` of a message that stays on one line, whatever is in the names that it quotes."""
    click.echo(one_line(text), err=err)


def print_tables(*tables: object) -> None:
    """Print rich renderables to standard output: 80 columns wide if it is not a terminal, wider if figures would
    otherwise be broken."""
    from rich.table import Table

    from edgekit.report.terminal import ReportConsole

    console = ReportConsole()
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
