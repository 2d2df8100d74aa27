"""The lock: the SHA-256 of every file that edgekit fetches. lock.json is in the tree; a user's own digests, recorded by
`edgekit setup --unpinned`, are in the emulators' folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from edgekit.errors import InputError
from edgekit.files import sha256_of_file, sha256_of_json, write_bytes
from edgekit.records import Record, read_json, validate
from edgekit.target import Runtime

SHIPPED = Path(__file__).with_name("lock.json")
_OWN = "lock.json"
PYTHONS = ("311", "312", "313", "314")
"""The versions of Python for which runtimes are pinned, in the form of wheel tags."""

FileName = Annotated[str, Meta(pattern=r"\A[\w.+~%-]+\.(whl|deb)\Z", max_length=200)]
Sha256 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Files = Mapping[str, str]
"""Names of files with their SHA-256."""


class Lock(Record, frozen=True):
    wheels: dict[str, dict[FileName, Sha256]] = {}
    """By the name of a `Wheels`: a runtime's wheel and those that it needs."""
    packages: dict[str, dict[FileName, Sha256]] = {}
    """By the name of a `Packages`: Debian packages and those that they need."""
    images: dict[str, Annotated[str, Meta(pattern=r"\Asha256:[0-9a-f]{64}\Z")]] = {}
    """The digest of each base image."""


@dataclass(frozen=True)
class Wheels:
    """A runtime's wheels for an architecture and a Python such as 311."""

    runtime: Runtime
    arch: str
    python: str

    @property
    def name(self) -> str:
        """Their name in the lock."""
        return f"{self.runtime.name}-{self.runtime.version}-cp{self.python}-{self.arch}"

    def __str__(self) -> str:
        return (
            f"{self.runtime.name} {self.runtime.version} for {self.arch} and Python {self.python[0]}.{self.python[1:]}"
        )


def folder_name(name: str, files: Files) -> str:
    """The name of the folder in which a set of files is kept, unpacked: another set has another one."""
    return f"{name}-{sha256_of_json(dict(files))[:8]}"


@cache
def shipped_lock() -> Lock:
    """The lock of this edgekit."""
    return _read(SHIPPED)


def lock_of(folder: Path) -> Lock:
    """This edgekit's lock, with what the user's own in `folder` adds to it. Raises InputError if that is damaged."""
    shipped, own = shipped_lock(), folder / _OWN
    if not own.is_file():
        return shipped
    more = _read(own)
    return Lock(
        {**shipped.wheels, **more.wheels}, {**shipped.packages, **more.packages}, {**shipped.images, **more.images}
    )


def record_digests(folder: Path, kind: str, name: str, files: Files) -> None:
    """Add a set of files to the user's own lock in `folder`."""
    values = (_read(folder / _OWN) if (folder / _OWN).is_file() else Lock()).to_json()
    values[kind][name] = dict(sorted(files.items()))
    write_lock(Lock(**values), folder / _OWN)


def write_lock(lock: Lock, path: Path) -> None:
    """Write a lock in a form that shows changes line by line."""
    write_bytes(path, msgspec.json.format(msgspec.json.encode(lock.to_json()), indent=1) + b"\n")


def _read(path: Path) -> Lock:
    hint = "remove it: edgekit setup --unpinned writes it again"
    lock: Lock = validate(Lock, read_json(path, InputError, hint), str(path), InputError)
    return lock


def digests_in(folder: Path, suffix: str) -> dict[str, str]:
    """The digest of each file in a folder whose name has this suffix."""
    return {path.name: sha256_of_file(path) for path in sorted(folder.glob(f"*.{suffix}"))}
