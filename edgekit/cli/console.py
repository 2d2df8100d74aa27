"""Printing of reports."""

import errno
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from edgekit.encoding import one_line, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


class OutputError(BaseException):
    """Standard output or standard error cannot be written: nobody reads it any more (EPIPE), or its disk is full.

    It ends a command as an interrupt does: whatever runs does not take it for an error of its own, and click does not
    end with the exit code of a gate that failed, as it does for an OSError.
    """

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror)
        self.reason = error.strerror or "unknown error"
        self.is_closed = error.errno == errno.EPIPE


class _Output(io.TextIOWrapper):
    def write(self, text: str, /) -> int:
        with _output_errors():
            return super().write(text)

    def flush(self) -> None:
        with _output_errors():
            super().flush()


@contextmanager
def _output_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(error) from error


def tell_output_errors() -> None:
    """Let standard output and standard error raise an OutputError where they cannot be written."""
    sys.stdout, sys.stderr = _telling(sys.stdout), _telling(sys.stderr)


def _telling(stream: Any) -> Any:
    if type(stream) is not io.TextIOWrapper:  # closed, or a test's
        return stream
    encoding, errors, by_line = stream.encoding, stream.errors, stream.line_buffering
    return _Output(stream.detach(), encoding=encoding, errors=errors, line_buffering=by_line)


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
