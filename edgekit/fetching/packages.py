"""Debian packages, fetched with a separate state of apt: the system's is not changed, and root is not needed. apt
checks the signatures of the indices; the lock says which packages they must be."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from edgekit.architectures import ARCHITECTURES
from edgekit.errors import FetchError
from edgekit.fetching.lock import Files, digests_in, lock_of, record_digests
from edgekit.fetching.source import Source
from edgekit.fetching.tools import run_tool
from edgekit.files import write_bytes
from edgekit.scratch import temporary_folder

_PYTHON = ("python3-minimal", "libpython3-stdlib", "libstdc++6")
VERSION_GONE = "was not found"
"""What apt-get says of a version that the index no longer has."""


@dataclass(frozen=True)
class Packages:
    """Packages, and all that they need, for an architecture as Debian calls it."""

    what: str
    arch: str
    names: Sequence[str]

    @property
    def name(self) -> str:
        """Their name in the lock."""
        return f"{self.what}-{self.arch}"


def emulator_packages(arch: str) -> Packages:
    """qemu for a machine of this architecture: the dynamic build, because the static one does not support plugins."""
    known = ARCHITECTURES.get(arch)  # a machine may have an architecture that is nobody's target
    return Packages("qemu-user", known.debian if known else arch, ("qemu-user",))


def guest_packages(arch: str) -> Packages:
    """Python for a guest of this architecture, with numpy where that has no wheel."""
    numpy = () if ARCHITECTURES[arch].has_numpy_wheel else ("python3-numpy",)
    return Packages("python", ARCHITECTURES[arch].debian, (*_PYTHON, *numpy))


def image_packages(arch: str) -> tuple[Packages, Packages]:
    """What a container image has on a machine of this architecture: qemu and a Python, and what compiles the plugin."""
    debian = ARCHITECTURES[arch].debian
    emulator = Packages("image", debian, ("python3-minimal", "libpython3-stdlib", "qemu-user"))
    return emulator, Packages("compiler", debian, ("gcc", "libc6-dev"))


def can_fetch_packages(source: Source) -> bool:
    """Whether this machine has what fetches packages from a source and unpacks them."""
    return bool(shutil.which("dpkg-deb") and (source.folder or shutil.which("apt-get")))


def pinned_packages(folder: Path, packages: Packages) -> Files:
    """The files of packages with their digests, by the lock and the user's own in `folder`; empty if not pinned."""
    return lock_of(folder).packages.get(packages.name, {})


def download_packages(folder: Path, packages: Packages, downloaded: Path, source: Source) -> Files:
    """Download packages to `downloaded`, check them, and return their digests. `folder` holds the user's own lock, to
    which what the index now has is added if the source allows that. Raises FetchError if it fails."""
    files = pinned_packages(folder, packages)
    if source.folder and files:
        source.copy(files, downloaded)
        return files
    if files:
        try:
            with temporary_folder() as state:
                _Apt(state, packages.arch, source.hint).download(files, downloaded)
        except FetchError as error:
            if VERSION_GONE not in error.message:
                raise
            if not source.unpinned:
                raise FetchError(
                    f"the Debian mirror does not have the packages that edgekit pins: {error.message}",
                    "edgekit setup ID --unpinned takes those that it has; or use a mirror of snapshots",
                ) from error
            files = {}
    if not files:
        if source.folder or not source.unpinned:
            raise FetchError(
                f"{packages.name}: edgekit pins no such packages",
                "edgekit setup ID --unpinned takes those of the mirror",
            )
        resolve_packages(packages, downloaded, source.hint)
        files = digests_in(downloaded, "deb")
        record_digests(folder, "packages", packages.name, files)
    source.check(downloaded, files)
    return files


def resolve_packages(packages: Packages, folder: Path, hint: str) -> None:
    """Download to a folder packages and all that they need, in the versions that the indices have now."""
    with temporary_folder() as state:
        _Apt(state, packages.arch, hint).resolve(packages.names, folder)


def unpack_packages(files: Files, downloaded: Path, folder: Path) -> None:
    """Unpack downloaded packages over one another into a folder. Raises FetchError if one is damaged."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in files:
        run_tool(["dpkg-deb", "-x", str(downloaded / name), str(folder)], "dpkg-deb", "run edgekit setup again")


class _Apt:
    """apt-get for one architecture with a state of its own, and the system's sources and keys."""

    def __init__(self, state: Path, arch: str, hint: str) -> None:
        for folder in (state / "state" / "lists" / "partial", state / "cache" / "archives" / "partial"):
            folder.mkdir(parents=True, exist_ok=True)
        write_bytes(state / "status", b"")
        options = {
            "APT::Architecture": arch,
            "APT::Architectures": arch,
            "APT::Sandbox::User": "",
            "Dir::State": str(state / "state"),
            "Dir::State::status": str(state / "status"),
            "Dir::Cache": str(state / "cache"),
            "Debug::NoLocking": "1",
            "APT::Keep-Downloaded-Packages": "1",
            "DPkg::Post-Invoke": "",
            "APT::Update::Post-Invoke": "",
            "APT::Update::Error-Mode": "any",
        }
        self._command = [
            "apt-get",
            "-qq",
            *(part for key, value in options.items() for part in ("-o", f"{key}={value}")),
        ]
        self._hint = hint
        self._stale: FetchError | None = None
        try:
            run_tool([*self._command, "update"], "apt-get update", hint)
        except FetchError as error:  # one of several indices may be incomplete; the others may suffice
            self._stale = error

    def download(self, files: Files, folder: Path) -> None:
        """Download exactly these packages."""
        versions = ["=".join(unquote(name).split("_")[:2]) for name in files]
        self._run(["download", *versions], folder)

    def resolve(self, names: Sequence[str], folder: Path) -> None:
        """Download packages and all that they need."""
        planned = self._run(["install", "--simulate", "--no-install-recommends", *names], folder)
        found = re.findall(r"^Inst (\S+) \((\S+) ", planned, re.MULTILINE)
        self._run(["download", *(f"{name}={version}" for name, version in found)], folder)

    def _run(self, arguments: Sequence[str], folder: Path) -> str:
        try:
            return run_tool([*self._command, *arguments], "apt-get", self._hint, folder=folder)
        except FetchError as error:
            raise self._stale or error from error
