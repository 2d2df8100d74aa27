"""A project's splits, each opened when it is first wanted, once."""

from edgekit.data.split import Split
from edgekit.project.project import Project
from edgekit.traits import Data


class Splits:
    """Handed to whoever needs data: the project's functions are called once a build, and not at all where the cache has
    everything."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._opened: dict[str, Split] = {}

    def __getitem__(self, split: Data) -> Split:
        """The opened split. Raises EntryPointError or DataError where it cannot be opened."""
        apart = split is Data.TRAIN or self.project.holds_out
        kind = f"{split if apart else ''} {self.project.data_entry(split)}"
        if kind not in self._opened:
            self._opened[kind] = Split(self.project, split)
        return self._opened[kind]
