"""Independent random numbers for each reading, unaffected by what else draws random numbers."""

import random
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


class Randomness:
    """A state of the global generators of Python, numpy and, if it is imported, torch."""

    def __init__(self, seed: int) -> None:
        torch = sys.modules.get("torch")
        self._state: tuple[Any, Any, Any] = (
            random.Random(seed).getstate(),
            np.random.RandomState(seed % 2**32).get_state(),
            torch.Generator().manual_seed(seed % 2**63).get_state() if torch else None,
        )

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Within the context the global generators continue from this state; afterwards they are restored."""
        outside = _states()
        _set(self._state)
        try:
            yield
        finally:
            self._state = _states()
            _set(outside)


def iterate_with(items: Callable[[], Iterable[Any]], randomness: Randomness) -> Iterator[Any]:
    """Iterate over items, each produced under `randomness`."""
    with randomness.in_force():
        iterator = iter(items())
    while True:
        with randomness.in_force():
            try:
                item = next(iterator)
            except StopIteration:
                return
        yield item


def _states() -> tuple[Any, Any, Any]:
    torch = sys.modules.get("torch")
    return random.getstate(), np.random.get_state(), torch.get_rng_state() if torch else None


def _set(state: tuple[Any, Any, Any]) -> None:
    random.setstate(state[0])
    np.random.set_state(state[1])
    torch = sys.modules.get("torch")
    if torch and state[2] is not None:
        torch.set_rng_state(state[2])
