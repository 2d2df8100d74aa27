"""What this machine is: its architecture, the instruction sets that select kernels, its CPU part."""

import platform
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from edgekit.architectures import normalized_arch

# Flags of /proc/cpuinfo under the names that targets use.
_ISA_OF_FLAG = {
    "avx2": "avx2",
    "avx512f": "avx512",
    "avx512_vnni": "vnni",
    "avx_vnni": "vnni",
    "asimd": "neon",
    "asimddp": "dotprod",
    "i8mm": "i8mm",
}

# These select a model's integer kernels: where they differ, figures taken here are not the target's.
DECISIVE_ISA = frozenset({"avx2", "vnni", "dotprod", "i8mm"})


@dataclass(frozen=True)
class Host:
    arch: str
    isa: frozenset[str]
    cpu_part: str
    """ARM's part number, such as 0xd08; empty on x86."""
    cpu_name: str


@cache
def this_host() -> Host:
    """The machine that edgekit runs on."""
    try:
        cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        cpuinfo = ""
    return host_of(normalized_arch(platform.machine()), cpuinfo)


def boot_id() -> str:
    """A random id that the system draws at boot: shared by everything that runs on it, and by no other machine. Empty
    where it is not available."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def host_of(arch: str, cpuinfo: str) -> Host:
    """A host as its /proc/cpuinfo describes it."""

    def field(name: str) -> str:
        found = re.search(rf"^{name}\s*:\s*(.*)$", cpuinfo, re.MULTILINE)
        return found.group(1).strip() if found else ""

    flags = (field("flags") or field("Features")).split()
    return Host(arch, instruction_sets(flags), field("CPU part"), field("model name") or platform.processor() or arch)


def instruction_sets(flags: Iterable[str]) -> frozenset[str]:
    """The instruction sets that flags of /proc/cpuinfo name, as targets name them."""
    return frozenset(_ISA_OF_FLAG[flag] for flag in flags if flag in _ISA_OF_FLAG)


def installed_version(package: str) -> str:
    """The version of an installed package; empty if it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return ""
