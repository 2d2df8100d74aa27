"""The plugin's output: for each interval between two system calls, the instructions by kind and the cache events."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

from edgekit.instruction_counts.instructions import Instruction, InstructionKind, instruction

_WORD = 4
"""Bytes of an instruction."""


@dataclass(frozen=True)
class CacheCounts:
    """Events of one cache level."""

    accesses: int
    misses: int
    load_misses: int
    write_backs: int

    def __add__(self, other: "CacheCounts") -> "CacheCounts":
        return CacheCounts(
            self.accesses + other.accesses,
            self.misses + other.misses,
            self.load_misses + other.load_misses,
            self.write_backs + other.write_backs,
        )


@dataclass(frozen=True)
class Counts:
    """Counts of a part of a program's run."""

    instructions: Mapping[InstructionKind, int]
    quads: Mapping[InstructionKind, float]
    """For vector instructions: the registers loaded or stored, or the number of 128-bit operations."""
    loaded_bytes: int
    stored_bytes: int
    caches: tuple[CacheCounts, ...]
    """From the first level on."""

    @property
    def total(self) -> int:
        return sum(self.instructions.values())

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            Counter(self.instructions) + Counter(other.instructions),
            _sum(self.quads, other.quads),
            self.loaded_bytes + other.loaded_bytes,
            self.stored_bytes + other.stored_bytes,
            tuple(one + two for one, two in zip(self.caches, other.caches, strict=True)),
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "instructions": {kind.name.lower(): self.instructions.get(kind, 0) for kind in InstructionKind},
            "quads": {kind.name.lower(): count for kind in InstructionKind if (count := self.quads.get(kind, 0.0))},
            "loaded_bytes": self.loaded_bytes,
            "stored_bytes": self.stored_bytes,
            "caches": [vars(each) for each in self.caches],
        }


@dataclass(frozen=True)
class CountInterval:
    ended_by: int
    """The number of the system call."""
    counts: Counts


def total_of(counts: Sequence[Counts]) -> Counts:
    """The sum of at least one part."""
    return reduce(Counts.__add__, counts)


def read_intervals(path: Path) -> list[CountInterval]:
    """The intervals that `counters.c` wrote, in order. Raises ValueError for a file that is not complete or not of this
    form."""
    lines = path.read_text().splitlines()
    is_block = [line.startswith("block ") for line in lines]
    first = is_block.index(True) if True in is_block else len(lines)
    code = {int(number): bytes.fromhex(digits) for _, number, _, digits in map(str.split, lines[first:])}
    blocks = {number: _instructions(block) for number, block in code.items()}
    return [_interval(head, times, blocks) for head, times in _parts(lines[:first])]


def _parts(lines: Sequence[str]) -> Iterator[tuple[list[int], dict[int, int]]]:
    """The numbers of each interval, and how often each block ran in it."""
    head: list[int] | None = None
    times: dict[int, int] = {}
    for line in lines:
        first, *rest = line.split()
        if first == "interval":
            if head is not None:
                yield head, times
            head, times = list(map(int, rest)), {}
        else:
            times[int(first)] = int(rest[0])
    if head is not None:
        yield head, times


def _interval(
    head: Sequence[int], times: Mapping[int, int], blocks: Mapping[int, Counter[Instruction]]
) -> CountInterval:
    ended_by, _, _, loaded, stored, *levels = head
    instructions: dict[InstructionKind, int] = defaultdict(int)
    quads: dict[InstructionKind, float] = defaultdict(float)
    for number, count in times.items():
        for entry, of_block in blocks[number].items():
            instructions[entry.kind] += of_block * count
            if entry.quads:
                quads[entry.kind] += entry.quads * of_block * count
    caches = tuple(CacheCounts(*levels[at : at + 4]) for at in range(0, len(levels), 4))
    return CountInterval(ended_by, Counts(instructions, quads, loaded, stored, caches))


def _instructions(code: bytes) -> Counter[Instruction]:
    return Counter(instruction(code[at : at + _WORD]) for at in range(0, len(code), _WORD))


def _sum(one: Mapping[InstructionKind, float], two: Mapping[InstructionKind, float]) -> dict[InstructionKind, float]:
    return {kind: one.get(kind, 0.0) + two.get(kind, 0.0) for kind in {**one, **two}}
