"""Samples accessed by number, and batches of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from edgekit.arrays import Arrays
from edgekit.data.trees import Tree, map_tree

UNLABELLED: Tree = ()
"""The target of a sample that has none."""


@dataclass(frozen=True)
class Sample:
    inputs: Arrays
    """One array per model input, without a batch axis."""
    target: Tree
    """A scalar label for classification."""


class Samples(Protocol):
    """Samples that are read one at a time, again at each access."""

    def __len__(self) -> int: ...

    def sample(self, number: int) -> Sample:
        """Read one sample. Raises DataError for one that cannot be used."""

    def origin(self, number: int) -> str:
        """Where a sample comes from: a file's path, or an item."""


class IndexedSource:
    """The samples with the given numbers in that order, the same in every epoch."""

    def __init__(self, samples: Samples, order: Sequence[int], batch_size: int) -> None:
        self._samples = samples
        self._order = order
        self._batch_size = batch_size

    def batches(self, seed: int) -> Iterable[Any]:
        """(input, target) of each batch. A sample of another shape starts a new batch."""
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
        """The number of samples."""
        return len(self._order)

    def batches_an_epoch(self) -> int | None:
        """The number of batches in an epoch, if all samples have one shape."""
        return -(-len(self._order) // self._batch_size)

    def origin(self, position: int) -> str:
        """Where the sample at this position comes from."""
        return self._samples.origin(self._order[position])


def _batch(part: Sequence[Sample]) -> tuple[Arrays, Tree]:
    inputs = tuple(np.stack(each) for each in zip(*(sample.inputs for sample in part), strict=True))
    return inputs, map_tree(lambda *each: np.stack(each), *(sample.target for sample in part))


def _shapes(sample: Sample) -> list[tuple[int, ...]]:
    return [each.shape for each in sample.inputs]
