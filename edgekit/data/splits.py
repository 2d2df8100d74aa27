"""A project's splits, each opened once, when it is first used."""

from edgekit.data.split import Split
from edgekit.project.project import Project
from edgekit.traits import Data


class Splits:
    """The splits of a project. Its functions are called once per build, and not at all if everything is cached."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._opened: dict[str, Split] = {}

    def __getitem__(self, split: Data) -> Split:
        """The opened split. Raises EntryPointError or DataError if it cannot be opened."""
        apart = split is Data.TRAIN or self.project.holds_out
        kind = f"{split if apart else ''} {self.project.data_entry(split)}"
        if kind not in self._opened:
            self._opened[kind] = Split(self.project, split)
        return self._opened[kind]
