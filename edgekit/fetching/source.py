"""Where files come from: the indices that the user's machine is configured for, or a folder."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import FetchError
from edgekit.fetching.lock import Files
from edgekit.files import sha256_of_file

_ANOTHER = "do not use it; find out who changed it"


@dataclass(frozen=True)
class Source:
    folder: Path | None = None
    """Files that `edgekit setup --download` left; None for the indices."""
    unpinned: bool = False
    """Whether files that the lock does not pin are fetched, and their digests recorded."""

    @property
    def hint(self) -> str:
        """What to do if a file cannot be had from it."""
        if self.folder:
            return f"download it where there is a network: edgekit setup ID --download {self.folder}"
        return "check the network; or edgekit setup ID --download FOLDER elsewhere, and --from FOLDER here"

    def check(self, folder: Path, files: Files) -> None:
        """Raises FetchError unless a folder has the files that came from it with their digests."""
        for name, digest in files.items():
            if not (folder / name).is_file():
                raise FetchError(f"{self} lacks {name}", self.hint)
            if sha256_of_file(folder / name) != digest:
                raise FetchError(f"{self} serves another {name} than the lock pins", _ANOTHER)

    def copy(self, files: Files, folder: Path) -> None:
        """Copy files from the source's folder. Raises FetchError if it lacks one, or has another one."""
        assert self.folder
        self.check(self.folder, files)
        for name in files:
            shutil.copy(self.folder / name, folder)

    def __str__(self) -> str:
        return str(self.folder) if self.folder else "the index"


def usual_source(folder: Path | None = None, *, unpinned: bool = False) -> Source:
    """The indices, or a folder; with $EDGEKIT_UNPINNED=1 also for what is not pinned."""
    return Source(folder, unpinned or os.environ.get("EDGEKIT_UNPINNED", "") not in ("", "0"))
