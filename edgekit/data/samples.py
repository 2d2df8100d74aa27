"""Samples that are had by number, and batches of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from edgekit.arrays import Arrays
from edgekit.data.trees import Tree, map_tree

UNLABELLED: Tree = ()
"""The target of a sample without one."""


@dataclass(frozen=True)
class Sample:
    inputs: Arrays
    """One array for each of the model's inputs, without an axis of samples."""
    target: Tree
    """For classification the label, a scalar."""


class Samples(Protocol):
    """Read one by one, each time anew."""

    def __len__(self) -> int: ...

    def sample(self, number: int) -> Sample:
        """Raises DataError for one that cannot be used."""

    def origin(self, number: int) -> str:
        """Where it comes from: a file's path, an item."""


class IndexedSource:
    """The samples of those numbers in that order, the same each epoch."""

    def __init__(self, samples: Samples, order: Sequence[int], batch_size: int) -> None:
        self._samples = samples
        self._order = order
        self._batch_size = batch_size

    def batches(self, seed: int) -> Iterable[Any]:
        """(input, target) of each batch. Samples of other shapes than those before begin a new one."""
        part: list[Sample] = []
        for number in self._order:
            sample = self._samples.sample(number)
            if part and (len(part) == self._batch_size or _shapes(sample) != _shapes(part[0])):
                yield _batch(part)
                part = []
            part.append(sample)
        if part:
            yield _batch(part)

    def samples(self) -> int | None:
        """How many there are."""
        return len(self._order)

    def batches_an_epoch(self) -> int | None:
        """How many batches an epoch has, where all samples have one shape."""
        return -(-len(self._order) // self._batch_size)

    def origin(self, position: int) -> str:
        """Where the sample at this place comes from."""
        return self._samples.origin(self._order[position])


def _batch(part: Sequence[Sample]) -> tuple[Arrays, Tree]:
    inputs = tuple(np.stack(each) for each in zip(*(sample.inputs for sample in part), strict=True))
    return inputs, map_tree(lambda *each: np.stack(each), *(sample.target for sample in part))


def _shapes(sample: Sample) -> list[tuple[int, ...]]:
    return [each.shape for each in sample.inputs]
