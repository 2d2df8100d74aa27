"""Architectures and cores, one row each: the names that Debian and qemu use, and what a core reports and issues.

Adding a core takes a row of `CORES` and, if it is shipped, a file in targets/.
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


@dataclass(frozen=True, kw_only=True)
class Core:
    """An ARM core: what Linux reports of it in /proc/cpuinfo, and how many instructions it issues."""

    part: str
    variant: str
    revision: int
    features: tuple[str, ...]
    """Without the optional cryptography, for which no runtime has kernels."""
    issue_width: int
    """Instructions that it issues in one cycle at most."""


_ARMV8_0 = ("fp", "asimd", "evtstrm", "crc32", "cpuid")
_ARMV8_2 = (*_ARMV8_0, "atomics", "fphp", "asimdhp", "asimdrdm", "lrcpc", "dcpop", "asimddp")

CORES: Mapping[str, Core] = {
    "cortex-a35": Core(part="0xd04", variant="0x0", revision=2, features=_ARMV8_0, issue_width=2),
    "cortex-a53": Core(part="0xd03", variant="0x0", revision=4, features=_ARMV8_0, issue_width=2),
    "cortex-a57": Core(part="0xd07", variant="0x1", revision=1, features=_ARMV8_0, issue_width=3),
    "cortex-a72": Core(part="0xd08", variant="0x0", revision=3, features=_ARMV8_0, issue_width=3),
    "cortex-a76": Core(part="0xd0b", variant="0x4", revision=1, features=_ARMV8_2, issue_width=4),
    "neoverse-n1": Core(part="0xd0c", variant="0x3", revision=1, features=_ARMV8_2, issue_width=4),
}
"""By qemu's name, all that the emulator of Debian 12 has. The part is in the core's Technical Reference Manual
(MIDR_EL1), the issue width there or in its Software Optimization Guide. Variants and revisions are those of boards that
are sold."""
_WIDEST_ISSUE = 8


def issue_width(core: str) -> int:
    """Instructions that a core issues in one cycle at most; the widest core's where it is not in the table."""
    return CORES[core].issue_width if core in CORES else _WIDEST_ISSUE


def normalized_arch(machine: str) -> str:
    """The name that targets use for a `platform.machine()`."""
    lower = machine.lower()
    return next((name for name, each in ARCHITECTURES.items() if lower in each.aliases), lower)
