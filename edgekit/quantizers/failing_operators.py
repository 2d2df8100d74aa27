"""Find the operators on which a quantizer fails, so that they cost themselves and not the model."""

from collections.abc import Callable, Collection, Sequence

Attempt = Callable[[Collection[str]], str]
"""Quantizes a model with these operators in float; the error's message, or empty if it succeeds."""

_MOST = 16
"""The most operators that are searched for."""


def failing_operators(candidates: Callable[[str], Sequence[str]], attempt: Attempt) -> dict[str, str]:
    """The operators that must stay float for the quantizer to succeed, with its message for each; empty if it succeeds
    anyway, or if no such set was found. `candidates` orders all operators for a message, the most likely ones first.

    Each is found by bisection: the shortest beginning of the candidates without which the quantizer succeeds ends in
    one.
    """
    found: dict[str, str] = {}
    while message := attempt(found):
        rest = [name for name in candidates(message) if name not in found]
        if len(found) == _MOST or not rest or attempt([*found, *rest]):
            return {}
        fails, succeeds = 0, len(rest)
        while succeeds - fails > 1:
            middle = (fails + succeeds) // 2
            if attempt([*found, *rest[:middle]]):
                fails = middle
            else:
                succeeds = middle
        found[rest[succeeds - 1]] = message
    return found
