"""Numbers and remarks in words, for messages and reports."""

from collections.abc import Sequence


def count_of(count: int, what: str) -> str:
    """A count with its noun: 1 seed, 2 seeds."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def disturbed_words(causes: Sequence[str]) -> str:
    """That a machine was disturbed during timing, and the first cause."""
    return f"the machine was disturbed: {causes[0]}"


def format_metric(value: float, unit: str, *, signed: bool = False) -> str:
    """A metric's value for display: percentages with two decimals, cosines with five, anything else with four
    significant digits."""
    sign = "+" if signed else ""
    if unit.startswith("%"):
        return f"{value:{sign}.2f}"
    if unit == "cosine":
        return f"{value:{sign}.5f}"
    return f"{value:{sign}.4g}" if abs(value) < 10_000 else f"{value:{sign},.0f}"


def format_level(level: float) -> str:
    """A confidence level as a percentage with up to three digits."""
    return f"{100 * level:.3g} %"
