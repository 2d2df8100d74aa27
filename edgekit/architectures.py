"""Architectures and cores, one row each: the names that Debian and qemu use, and how many instructions a core issues.

Adding a core takes a row of `ISSUE_WIDTH` and a file in targets/.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal


@dataclass(frozen=True, kw_only=True)
class Architecture:
    debian: str
    """Debian's name of it."""
    qemu: str
    """What qemu's programs are called for it."""
    aliases: tuple[str, ...] = ()
    """Its other names, as `platform.machine()` may give them."""
    narrow: str
    """The architecture that a 32-bit Python on such a machine is built for."""
    bits: int = 64
    needs_cpuinfo: bool = False
    """Whether a target must describe /proc/cpuinfo, by which runtimes choose their kernels: an emulator shows it."""
    has_numpy_wheel: bool = True
    has_image: bool = True
    """Whether docker/emulator.Dockerfile builds for it."""
    is_counted: bool = False
    """Whether the plugin classifies its instructions."""
    has_guest_space: bool = True
    """Whether a guest under emulation has an address range that only it uses, by which its memory is measured."""
    is_board: bool = True
    """Whether edgekit runs models on such a machine through ssh."""


ARCHITECTURES: Mapping[str, Architecture] = {
    "aarch64": Architecture(
        debian="arm64", qemu="aarch64", aliases=("arm64",), narrow="armv7l", needs_cpuinfo=True, is_counted=True
    ),
    "armv7l": Architecture(
        debian="armhf",
        qemu="arm",
        narrow="armv7l",
        bits=32,
        has_numpy_wheel=False,
        has_image=False,
        is_board=False,
    ),
    "x86_64": Architecture(debian="amd64", qemu="x86_64", aliases=("amd64",), narrow="i686", has_guest_space=False),
}

# Records of TOML files are checked against the names; type checkers cannot read a Literal that is computed.
if TYPE_CHECKING:
    Arch = str
else:
    Arch = Literal[tuple(ARCHITECTURES)]

ISSUE_WIDTH: Mapping[str, int] = {"cortex-a53": 2, "cortex-a72": 3, "cortex-a76": 4}
"""Instructions that a core issues in one cycle at most, by qemu's name of the core (its Software Optimization Guide;
for the Cortex-A53 its Technical Reference Manual)."""
_WIDEST_ISSUE = 8


def issue_width(core: str) -> int:
    """Instructions that a core issues in one cycle at most; the widest core's where it is not in the table."""
    return ISSUE_WIDTH.get(core, _WIDEST_ISSUE)


def normalized_arch(machine: str) -> str:
    """The name that targets use for a `platform.machine()`."""
    lower = machine.lower()
    return next((name for name, each in ARCHITECTURES.items() if lower in each.aliases), lower)
