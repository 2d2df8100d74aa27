"""Progress of a command: bars on a terminal, plain lines elsewhere, nothing with --quiet."""

import atexit
import sys
import threading
import time

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from edgekit.encoding import one_line
from edgekit.progress import Progress as Watcher
from edgekit.progress import Silent
from edgekit.report.terminal import ReportConsole

_LINE_EVERY_S = 5.0


def watcher(*, quiet: bool) -> Watcher:
    """The Progress for this terminal. It writes to standard error, so that results can be piped."""
    if quiet:
        return Silent()
    return _Bars() if sys.stderr.isatty() else _Lines()


def _step(target: str, number: int, total: int, name: str) -> str:
    return f"{target} {number:2}/{total} {name}"


def _finished(target: str, number: int, total: int, name: str, cached: bool, seconds: float) -> str:
    return f"{_step(target, number, total, name)}: {'from the cache' if cached else f'{seconds:.1f} s'}"


class _Lines(Silent):
    """One line for each step, and one every few seconds during a step that reports its progress."""

    def __init__(self) -> None:
        self.last = time.monotonic()
        self.running = threading.Timer(0, self._print)
        """Prints that a step runs if it says nothing for some seconds."""

    def step_started(self, target: str, number: int, total: int, name: str) -> None:
        self.running.cancel()
        text = f"{_step(target, number, total, name)}: running"
        self.running = threading.Timer(_LINE_EVERY_S, self._print, [text])
        self.running.daemon = True
        self.running.start()

    def advanced(self, what: str, done: int, total: int, detail: str = "") -> None:
        self.running.cancel()
        if done >= total or time.monotonic() - self.last > _LINE_EVERY_S:
            self.last = time.monotonic()
            self._print(f"  {what} {done}/{total} {detail}")

    def step_finished(self, target: str, number: int, total: int, name: str, *, cached: bool, seconds: float) -> None:
        self.running.cancel()
        self._print(_finished(target, number, total, name, cached, seconds))

    def note(self, text: str) -> None:
        self._print(text)

    def _print(self, text: str) -> None:
        print(one_line(text), file=sys.stderr, flush=True)


class _Bars(Silent):
    """A bar for the current work below the finished steps; one without a length until a step reports its progress."""

    def __init__(self) -> None:
        self.console = ReportConsole(stderr=True, markup=False)
        columns = (
            TextColumn("  {task.description}", markup=False),
            BarColumn(20),
            TextColumn("{task.fields[count]}"),
            TextColumn("{task.fields[detail]}", markup=False),
        )
        times = TimeElapsedColumn(), TimeRemainingColumn()
        self.bars = Progress(*columns, *times, console=self.console, transient=True)
        self.what = ""
        atexit.register(self._clear)  # otherwise an error leaves the terminal without a cursor

    def advanced(self, what: str, done: int, total: int, detail: str = "") -> None:
        self._show(what)
        self.bars.update(
            self.bars.task_ids[0], completed=done, total=total, count=f"{done:.0f}/{total:.0f}", detail=detail
        )

    def step_started(self, target: str, number: int, total: int, name: str) -> None:
        self._show(_step(target, number, total, name))

    def step_finished(self, target: str, number: int, total: int, name: str, *, cached: bool, seconds: float) -> None:
        self._clear()
        self.console.print(_finished(target, number, total, name, cached, seconds), soft_wrap=True)

    def note(self, text: str) -> None:
        self._clear()
        self.console.print(text, soft_wrap=True)

    def _show(self, what: str) -> None:
        """Show a bar for this work unless it is there."""
        if what != self.what:
            self._clear()
            self.what = what
            self.bars.add_task(what, total=None, count="", detail="")
            self.bars.start()

    def _clear(self) -> None:
        if self.what:
            self.bars.stop()
            self.bars.remove_task(self.bars.task_ids[0])
            self.what = ""
