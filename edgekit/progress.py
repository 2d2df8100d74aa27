"""What a running build tells whoever watches."""

from typing import Protocol


class Progress(Protocol):
    """The watcher of a build. Every method may be called at any time and must not raise."""

    def step_started(self, target: str, number: int, total: int, name: str) -> None: ...

    def step_finished(
        self, target: str, number: int, total: int, name: str, *, cached: bool, seconds: float
    ) -> None: ...

    def advanced(self, what: str, done: int, total: int, detail: str = "") -> None:
        """`done` of `total` units (epochs, batches) of `what`; `detail` is such as loss and accuracy."""

    def note(self, text: str) -> None:
        """Something that the user should know."""


class Silent:
    """A Progress that tells nothing."""

    def step_started(self, target: str, number: int, total: int, name: str) -> None:
        pass

    def step_finished(self, target: str, number: int, total: int, name: str, *, cached: bool, seconds: float) -> None:
        pass

    def advanced(self, what: str, done: int, total: int, detail: str = "") -> None:
        pass

    def note(self, text: str) -> None:
        pass
