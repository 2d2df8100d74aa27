"""Levels of benchmarks, and the figures found."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Level:
    what: str
    level: str
    found: str
    met: bool | None
    """None if it cannot be measured here."""


def print_levels(levels: Sequence[Level]) -> None:
    print("| what | level | found | met |\n|---|---|---|---|")
    for each in levels:
        met = {True: "yes", False: "**no**", None: "not tried"}[each.met]
        print(f"| {each.what} | {each.level} | {each.found} | {met} |")
