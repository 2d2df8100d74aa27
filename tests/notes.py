"""The notes of a run, for tests of what is said and when."""

from edgekit.progress import Silent


class Notes(Silent):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)
