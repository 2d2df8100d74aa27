"""Progress of a command: bars on a terminal, plain lines elsewhere, nothing with --quiet."""

import sys
import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from edgekit.progress import Progress as Watcher
from edgekit.progress import Silent

_LINE_EVERY_S = 5.0


def watcher(*, quiet: bool) -> Watcher:
    """The Progress for this terminal. It writes to standard error, so that results can be piped."""
    if quiet:
        return Silent()
    return _Bars() if sys.stderr.isatty() else _Lines()


def _finished(target: str, number: int, total: int, name: str, cached: bool, seconds: float) -> str:
    return f"{target} {number:2}/{total} {name}: {'from the cache' if cached else f'{seconds:.1f} s'}"


class _Lines(Silent):
    """One line for each step, and one every few seconds during a step."""

    def __init__(self) -> None:
        self.last = time.monotonic()

    def advanced(self, what: str, done: int, total: int, detail: str = "") -> None:
        if done >= total or time.monotonic() - self.last > _LINE_EVERY_S:
            self.last = time.monotonic()
            self._print(f"  {what} {done}/{total} {detail}")

    def step_finished(self, target: str, number: int, total: int, name: str, *, cached: bool, seconds: float) -> None:
        self._print(_finished(target, number, total, name, cached, seconds))

    def note(self, text: str) -> None:
        self._print(text)

    def _print(self, text: str) -> None:
        print(text.rstrip(), file=sys.stderr, flush=True)


class _Bars(Silent):
    """A bar for the current work below the finished steps."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False, emoji=False)
        columns = (
            TextColumn("  {task.description}"),
            BarColumn(20),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        )
        self.bars = Progress(
            *columns, TextColumn("{task.fields[detail]}"), TimeRemainingColumn(), console=self.console, transient=True
        )
        self.what = ""

    def advanced(self, what: str, done: int, total: int, detail: str = "") -> None:
        if what != self.what:
            self._clear()
            self.what = what
            self.bars.add_task(what, total=total, detail="")
            self.bars.start()
        self.bars.update(self.bars.task_ids[0], completed=done, total=total, detail=detail)

    def step_started(self, target: str, number: int, total: int, name: str) -> None:
        self._clear()

    def step_finished(self, target: str, number: int, total: int, name: str, *, cached: bool, seconds: float) -> None:
        self._clear()
        self.console.print(_finished(target, number, total, name, cached, seconds), soft_wrap=True)

    def note(self, text: str) -> None:
        self._clear()
        self.console.print(text, soft_wrap=True)

    def _clear(self) -> None:
        if self.what:
            self.bars.stop()
            self.bars.remove_task(self.bars.task_ids[0])
            self.what = ""
