"""Derive a target from a board: its own properties, with the integer scheme of a known target with the same kernels."""

import re
from collections.abc import Sequence

from edgekit.architectures import ARCHITECTURES
from edgekit.errors import BoardError
from edgekit.host import DECISIVE_ISA
from edgekit.runners.board import Board
from edgekit.target import CpuInfo, Target


def matching_targets(board: Board, known: Sequence[Target]) -> list[Target]:
    """The targets whose own figures can be measured on a board."""
    return [each for each in known if each.is_this(board.host)]


def derive_target(board: Board, name: str, known: Sequence[Target]) -> Target:
    """A target with this id for a board. Scheme, runtime and channel multiple are those of the first known target with
    the same kernel-selecting instruction sets; the emulated CPU and its caches are those of a target with the same
    core, if there is one. Raises BoardError if no known target has such kernels."""
    host, value = board.host, board.report
    if value.memory is None or value.free_memory is None:
        raise BoardError(
            f"{board.address} does not report its memory", 'write a target file by hand: base = "ID", ram_bytes = ...'
        )
    alike = [
        each
        for each in known
        if each.arch == host.arch and each.isa & DECISIVE_ISA == host.isa & DECISIVE_ISA  # the same kernels
    ]
    if not alike:
        sets = ", ".join(sorted(host.isa)) or "no known instruction sets"
        raise BoardError(
            f"no known target has the kernels of {board.address}: {host.arch} with {sets}",
            'write a target file by hand, starting from the nearest one: base = "ID"',
        )
    of_core = [each for each in alike if each.is_this(host)]
    model = (of_core or alike)[0]
    return model.copy_with(
        id=name,
        name=board.name,
        cpu=of_core[0].cpu if of_core else "",
        isa=host.isa,
        clock_hz=value.clock_khz * 1000 if value.clock_khz else None,
        cores=value.cores,
        ram_bytes=_sold_bytes(value.memory),
        system_bytes=max(_sold_bytes(value.memory) - value.free_memory, 0),
        cpuinfo=_cpuinfo(value.cpuinfo) if ARCHITECTURES[host.arch].needs_cpuinfo else None,
        caches=of_core[0].caches if of_core else (),
    )


def _sold_bytes(memory: int) -> int:
    """The nominal memory of a board on which firmware and kernel leave `memory` bytes: whole gigabytes, except for the
    smallest boards."""
    step = 2**28 if memory < 2**29 else 2**30
    return -(-memory // step) * step


def _cpuinfo(text: str) -> CpuInfo:
    """Of an ARM board's first core."""

    def field(name: str, form: str) -> str:
        found = re.search(rf"^{name}\s*:\s*({form})\s*$", text, re.MULTILINE)
        return found.group(1) if found else ""

    code = "0x[0-9a-fA-F]{1,4}"
    return CpuInfo(
        implementer=field("CPU implementer", code),
        variant=field("CPU variant", code),
        part=field("CPU part", code),
        revision=int(field("CPU revision", "[0-9]{1,4}") or 0),
        features=tuple(field("Features", "[a-z0-9_ ]{1,2000}").split()),
    )
