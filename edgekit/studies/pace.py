"""The pace of a study: the time left, and its time budget."""

import time

from edgekit.progress import Progress


class OutOfTime(BaseException):
    """The time budget is spent. Like an interrupt it may be raised between any two epochs, whose results are kept, and
    is not an error of the step that it ends."""


class Budget:
    """A Progress that ends the work after `seconds` (None: never), and forwards only news: no cached steps, no repeated
    notes."""

    def __init__(self, progress: Progress, seconds: float | None) -> None:
        self.progress = progress
        self.end = None if seconds is None else time.monotonic() + seconds
        self.noted: set[str] = set()

    def check(self) -> None:
        """Raises OutOfTime after the time limit."""
        if self.end is not None and time.monotonic() > self.end:
            raise OutOfTime

    def step_started(self, target: str, number: int, total: int, name: str) -> None:
        self.check()
        self.progress.step_started(target, number, total, name)

    def step_finished(self, target: str, number: int, total: int, name: str, *, cached: bool, seconds: float) -> None:
        if not cached:
            self.progress.step_finished(target, number, total, name, cached=cached, seconds=seconds)

    def advanced(self, what: str, done: int, total: int, detail: str = "") -> None:
        self.progress.advanced(what, done, total, detail)
        self.check()

    def note(self, text: str) -> None:
        if text not in self.noted:
            self.noted.add(text)
            self.progress.note(text)


class Pace:
    """Estimates the remaining time from the time per epoch, or per step without epochs, so far."""

    def __init__(self, work: dict[object, int]) -> None:
        self.left = dict(work)
        """The size of each remaining piece of work."""
        self.seconds = 0.0
        self.size = 0

    def done(self, what: object, seconds: float, *, cached: bool) -> None:
        """Count a piece of work as done; unknown work is ignored."""
        size = self.left.pop(what, 0)
        if not cached:
            self.seconds += seconds
            self.size += size

    def remaining(self) -> str:
        """For example "about 4 min left"; empty while nothing is known."""
        if not self.size or not self.left:
            return ""
        seconds = sum(self.left.values()) * self.seconds / self.size
        return f"about {seconds:.0f} s left" if seconds < 90 else f"about {seconds / 60:.0f} min left"
