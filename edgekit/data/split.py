"""A split of a project's data: batches of numpy arrays, validated, and identical at every reading."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit.arrays import Arrays
from edgekit.data.open_source import open_source
from edgekit.data.randomness import Randomness, iterate_with
from edgekit.data.trees import Tree, join_trees, leaves, map_tree
from edgekit.errors import DataError
from edgekit.project.entrypoints import user_code_errors
from edgekit.project.project import Project
from edgekit.traits import Data


@dataclass(frozen=True)
class SampleBatch:
    inputs: Arrays
    """One array per model input, batch axis first."""
    target: Tree
    """Integer labels of shape (batch,) for classification."""

    def __len__(self) -> int:
        return len(self.inputs[0])

    def head(self, count: int) -> "SampleBatch":
        """The first `count` samples."""
        return SampleBatch(
            tuple(each[:count] for each in self.inputs), map_tree(lambda each: each[:count], self.target)
        )


class Split:
    """An opened split: the project's function is called once, here.

    Each reading starts from the split's seed and the epoch, whatever else draws random numbers. The first epoch is
    compared with its earlier readings. Raises EntryPointError or DataError for a source that cannot be used.
    """

    def __init__(self, project: Project, split: Data) -> None:
        self.entry = project.data_entry(split)
        self.seed = project.seed
        with Randomness(self._seed_of(0)).in_force():
            found = open_source(project, split)
        self._source = found.source
        self.labelled = found.labelled
        self.classes = found.classes
        self.preprocessing = found.preprocessing
        self.about = found.about
        self._digests: list[bytes] = []
        self._counted: int | None = None
        if self.length == 0:
            raise _empty(self.entry)

    @property
    def length(self) -> int | None:
        """The number of samples: counted in a complete reading, else as the source reports it; None if neither is
        available."""
        return self._source.samples() if self._counted is None else self._counted

    def batches(self, epoch: int = 0, limit: int | None = None) -> Iterator[SampleBatch]:
        """The batches of one epoch, the same for the same seed and epoch, for at most `limit` samples.

        Raises DataError for NaNs, for items that are not an (input, target) pair, if there are no batches, and for a
        source that changes between readings.
        """
        seed, count = self._seed_of(epoch), 0
        with user_code_errors(f"'{self.entry}'"):
            for number, item in enumerate(iterate_with(lambda: self._source.batches(seed), Randomness(seed))):
                batch = self._check(item, count)
                if epoch == 0:
                    self._compare(number, batch)
                if limit is not None and count + len(batch) >= limit:
                    yield batch.head(limit - count)
                    return
                count += len(batch)
                if len(batch):
                    yield batch
        self._end(epoch, count)

    def batches_an_epoch(self) -> int | None:
        """The number of batches in an epoch; None if the source does not report it."""
        return self._source.batches_an_epoch()

    def origin(self, position: int) -> str:
        """Where the sample at this position comes from: a file's path; empty if the source does not report it."""
        return self._source.origin(position)

    def example(self) -> SampleBatch:
        """The first sample, as a batch of one."""
        return next(iter(self.batches(limit=1)))

    def alike(self, limit: int | None = None) -> tuple[Arrays, Tree, int]:
        """Of the first `limit` samples, those with the shapes of the first one: one array per input with the batch axis
        first, the targets, and the number of samples that were read."""
        parts = list(self.batches(limit=limit))
        kept = [part for part in parts if _shapes(part) == _shapes(parts[0])]
        inputs = tuple(np.concatenate(each) for each in zip(*(part.inputs for part in kept), strict=True))
        return inputs, join_trees([part.target for part in kept]), sum(len(part) for part in parts)

    def digest(self) -> str:
        """The digest of every sample, in the order of the first epoch."""
        digest = hashlib.sha256()
        for batch in self.batches():
            for array in _arrays_of(batch):
                digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def _seed_of(self, epoch: int) -> int:
        return self.seed * 1_000_003 + epoch

    def _check(self, item: Any, position: int) -> SampleBatch:
        if not isinstance(item, tuple | list) or len(item) != 2:
            raise DataError(f"'{self.entry}' gives items that are not (input, target) pairs", "return pairs of tensors")
        inputs = tuple(item[0]) if isinstance(item[0], tuple | list) else (item[0],)
        target = item[1]
        for array in inputs:
            if not isinstance(array, np.ndarray):
                raise DataError(
                    f"'{self.entry}' gives inputs of type {type(array).__name__}",
                    "return a tensor, or a tuple of tensors in the order of forward's parameters",
                )
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                bad = int((~np.isfinite(array.reshape(len(array), -1))).any(1).argmax()) if array.ndim > 1 else 0
                place = self.origin(position + bad) or f"'{self.entry}'"
                raise DataError(
                    f"{place} has NaN or infinite inputs, first in sample {position + bad} as served",
                    "clean the data before it reaches edgekit",
                )
        for array in leaves(target):
            if not isinstance(array, np.ndarray):
                raise DataError(f"'{self.entry}' gives targets of type {type(array).__name__}", "return torch tensors")
        return SampleBatch(inputs, target)

    def _compare(self, number: int, batch: SampleBatch) -> None:
        """Compare a batch of the first epoch with the same one of an earlier reading."""
        digest = hashlib.blake2b(digest_size=16)
        for array in _arrays_of(batch):
            digest.update(np.ascontiguousarray(array).tobytes())
        if number == len(self._digests):
            if self._counted is not None:
                raise self._differs("gave more samples than in its first reading")
            self._digests.append(digest.digest())
        elif self._digests[number] != digest.digest():
            raise self._differs("gave other samples than in its first reading")

    def _end(self, epoch: int, count: int) -> None:
        if count == 0 and not self._digests:
            raise _empty(self.entry)
        if count == 0:
            raise DataError(
                f"'{self.entry}' can be read only once: it was empty in the second reading",
                "return a Dataset that can be iterated again, not a generator or an open stream",
            )
        if epoch == 0:
            if self._counted not in (None, count):
                raise self._differs(f"gave {count} samples, but {self._counted} in its first reading")
            self._counted = count

    def _differs(self, how: str) -> DataError:
        return DataError(
            f"'{self.entry}' {how}",
            "make each reading the same: edgekit seeds the global generators of Python, numpy and torch before it; "
            "seed "
            "your own generators with a fixed value",
        )


def _shapes(batch: SampleBatch) -> list[tuple[int, ...]]:
    return [each.shape[1:] for each in batch.inputs]


def _arrays_of(batch: SampleBatch) -> Arrays:
    return (*batch.inputs, *leaves(batch.target))


def _empty(entry: str) -> DataError:
    return DataError(f"'{entry}' is empty", "return at least one (input, target) pair")
