"""Board: a machine that is reached through a connection, and the runtime that it needs."""

from dataclasses import dataclass

from edgekit.architectures import ARCHITECTURES, normalized_arch
from edgekit.errors import BoardError
from edgekit.fetching.lock import Wheels, folder_name, lock_of
from edgekit.fetching.source import usual_source
from edgekit.fetching.wheels import fetch_wheels
from edgekit.host import Host, boot_id, host_of
from edgekit.progress import Progress
from edgekit.runners.address import Address
from edgekit.runners.answers import Kept, Look
from edgekit.runners.connection import Request, answer
from edgekit.runners.emulator import wheels_folder
from edgekit.runners.runner import WORKER
from edgekit.runtime_specs import RUNTIMES
from edgekit.target import Runtime, Target

_UPLOAD_S = 900.0


@dataclass(frozen=True)
class Board:
    address: Address
    report: Look

    @property
    def host(self) -> Host:
        return host_of(self.arch, self.report.cpuinfo)

    @property
    def arch(self) -> str:
        """The architecture of its Python: 32 bits on many 64-bit kernels."""
        arch = normalized_arch(self.report.arch)
        known = ARCHITECTURES.get(arch)
        return known.narrow if known and self.report.bits == 32 else arch

    @property
    def name(self) -> str:
        """Its model if it is reported, else its CPU."""
        return self.report.model or self.host.cpu_name

    @property
    def cpu(self) -> str:
        return self.host.cpu_name if self.host.cpu_name != self.arch else self.host.cpu_part or self.arch

    @property
    def is_here(self) -> bool:
        """Whether it is this machine."""
        return bool(self.report.boot) and self.report.boot == boot_id()

    @property
    def python(self) -> str:
        """In the form of wheel tags: 311."""
        return "".join(self.report.python.split(".")[:2])

    def has(self, runtime: Runtime) -> bool:
        """Whether its own Python has this runtime and numpy."""
        versions = self.report.versions
        return versions.get(runtime.name) == runtime.version and bool(versions.get("numpy"))

    def kept_name(self, runtime: Runtime) -> str:
        """The name of the folder in which edgekit stores a runtime on the board."""
        wheels = self.wheels(runtime)
        return folder_name(wheels.name, lock_of(wheels_folder()).wheels.get(wheels.name, {}))

    def wheels(self, runtime: Runtime) -> Wheels:
        """The wheels of a runtime for it."""
        return Wheels(runtime, self.arch, self.python)


def board_at(address: Address) -> Board:
    """The machine at an address. Raises BoardError if it cannot be reached or is not supported."""
    asked = {"do": "look", "worker": WORKER.read_text(), "packages": [*RUNTIMES, "numpy"]}
    board = Board(address, answer(address, Request(asked, doing=lambda: "while its hardware was read"), Look))
    if board.report.system != "Linux":
        raise BoardError(f"{address} runs {board.report.system}", "edgekit measures on Linux; use another board")
    if board.arch not in ARCHITECTURES or not ARCHITECTURES[board.arch].is_board:
        more = f" on a 64-bit kernel: {board.report.arch}" if board.report.bits == 32 else ""
        raise BoardError(
            f"the Python of {address} is for {board.arch}{more}, and no runtime of edgekit's is",
            "install a 64-bit system on it",
        )
    return board


def check_is(board: Board, target: Target) -> None:
    """Raises BoardError unless figures from a board are the target's own."""
    if not target.is_this(board.host):
        text = ", ".join(part for part in (board.arch, board.host.cpu_part, *sorted(board.host.isa)) if part)
        raise BoardError(
            f"{board.address} is not a {target.id}: it is {board.name} ({text})",
            f"find the matching target: edgekit targets check ssh://{board.address}",
        )


def provide_runtime(board: Board, runtime: Runtime, progress: Progress) -> str:
    """Install a runtime on a board, beside its own Python, and return the name of its folder there. Raises FetchError
    if there is no wheel, BoardError if there is no space."""
    name = board.kept_name(runtime)
    if name not in board.report.kept:
        python = f"install another Python there: it has {board.report.python}"
        hint = f"{python}; or set EDGEKIT_UNPINNED=1 to take what the index has"
        wheels = fetch_wheels(wheels_folder(), board.wheels(runtime), usual_source(), hint, progress)
        name = board.kept_name(runtime)  # what is not pinned has a digest only now
        progress.note(f"installing {runtime.name} {runtime.version} on {board.address}")
        asked = {"do": "keep", "name": name}
        doing = f"while {runtime.name} was installed there"
        answer(
            board.address,
            Request(asked, sent=wheels, compressed=not board.is_here, limit_s=_UPLOAD_S, doing=lambda: doing),
            Kept,
        )
    return name
