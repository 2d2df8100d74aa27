"""Progress: what a running build reports to its caller."""

from typing import Protocol


class Progress(Protocol):
    """Receives the progress of a build. Every method may be called at any time and must not raise."""

    def step_started(self, target: str, number: int, total: int, name: str) -> None: ...

    def step_finished(
        self, target: str, number: int, total: int, name: str, *, cached: bool, seconds: float
    ) -> None: ...

    def advanced(self, what: str, done: int, total: int, detail: str = "") -> None:
        """`done` of `total` units (epochs, batches) of `what`; `detail` holds values such as loss and accuracy."""

    def note(self, text: str) -> None:
        """A message for the user."""


class Silent:
    """A Progress that ignores everything."""

    def step_started(self, target: str, number: int, total: int, name: str) -> None:
        pass

    def step_finished(self, target: str, number: int, total: int, name: str, *, cached: bool, seconds: float) -> None:
        pass

    def advanced(self, what: str, done: int, total: int, detail: str = "") -> None:
        pass

    def note(self, text: str) -> None:
        pass
