"""A project's splits as batches of tensors, checked as they pass."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset

from edgekit.arrays import Arrays
from edgekit.errors import DataError, EntryPointError
from edgekit.project.entrypoints import blamed, entry_function
from edgekit.project.project import Project
from edgekit.traits import Data


@dataclass(frozen=True)
class Batch:
    inputs: tuple[Tensor, ...]
    """One tensor for each of the model's inputs, batch axis first."""
    target: Any
    """A tensor, or a tuple of tensors; for classification the labels, shape (batch,), integers."""

    def __len__(self) -> int:
        return len(self.inputs[0])

    def on(self, device: torch.device) -> "Batch":
        """The same batch on another device."""
        target = self.target.to(device) if isinstance(self.target, Tensor) else tuple(t.to(device) for t in self.target)
        return Batch(tuple(each.to(device) for each in self.inputs), target)


class Split:
    """One split of a project's data."""

    def __init__(self, project: Project, split: Data) -> None:
        self.entry = project.data_entry(split)
        self.seed = project.seed
        self.shuffled = split is Data.TRAIN
        self._batch_size = project.data.batch_size
        self._source = entry_function(project.root, self.entry)()
        if not isinstance(self._source, Dataset | DataLoader):
            raise EntryPointError(
                f"'{self.entry}' returned a {type(self._source).__name__}, not a Dataset or DataLoader",
                "return a torch.utils.data.Dataset of (input, target) pairs, such as a TensorDataset",
            )
        if not isinstance(self._source, IterableDataset) and self._length(self._source) == 0:
            raise DataError(f"'{self.entry}' is empty", "return at least one (input, target) pair")

    def batches(self, epoch: int = 0, limit: int | None = None) -> Iterator[Batch]:
        """The batches of one epoch, the same for the same seed and epoch; `limit` is a number of samples.

        Raises DataError for NaNs, for items that are no (input, target) pair, and when there is no batch at all.
        """
        left = limit if limit is not None else -1
        count = 0
        with blamed(f"'{self.entry}'"):
            for item in self._loader(epoch):
                batch = self._checked(item, count)
                if 0 <= left < len(batch):
                    batch = _head(batch, left)
                if len(batch):
                    yield batch
                count += len(batch)
                left -= len(batch)
                if limit is not None and left <= 0:
                    return
        if count == 0:
            raise DataError(f"'{self.entry}' is empty", "return at least one (input, target) pair")

    def batches_an_epoch(self) -> int | None:
        """How many batches an epoch has; None where the data cannot say."""
        try:
            return len(self._loader(0))
        except TypeError:
            return None

    def example(self) -> Batch:
        """The first sample, as a batch of one."""
        return next(iter(self.batches(limit=1)))

    def arrays(self, limit: int | None = None) -> tuple[Arrays, Any]:
        """The inputs as one array each, and the targets, of the first `limit` samples."""
        parts = list(self.batches(limit=limit))
        inputs = tuple(np.concatenate([part.inputs[i].numpy() for part in parts]) for i in range(len(parts[0].inputs)))
        return inputs, joined_targets([part.target for part in parts])

    def content_digest(self) -> str:
        """The digest of every sample, in the order of epoch 0."""
        digest = hashlib.sha256()
        for batch in self.batches():
            targets = (batch.target,) if isinstance(batch.target, Tensor) else batch.target
            for tensor in (*batch.inputs, *targets):
                digest.update(np.ascontiguousarray(tensor.numpy()).tobytes())
        return digest.hexdigest()

    def _length(self, source: Any) -> int:
        try:
            return len(source)
        except TypeError:
            return -1

    def _loader(self, epoch: int) -> DataLoader[Any]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        if isinstance(self._source, DataLoader):
            if self._source.generator is not None:
                self._source.generator.manual_seed(self.seed * 1_000_003 + epoch)
            return self._source
        shuffle = self.shuffled and not isinstance(self._source, IterableDataset)
        return DataLoader(self._source, self._batch_size, shuffle=shuffle, generator=generator)

    def _checked(self, item: Any, position: int) -> Batch:
        if not isinstance(item, tuple | list) or len(item) != 2:
            raise DataError(f"'{self.entry}' gives items that are no (input, target) pair", "return pairs of tensors")
        inputs = tuple(item[0]) if isinstance(item[0], tuple | list) else (item[0],)
        target = tuple(item[1]) if isinstance(item[1], tuple | list) else item[1]
        for tensor in inputs:
            if not isinstance(tensor, Tensor):
                raise DataError(f"'{self.entry}' gives inputs of type {type(tensor).__name__}", "return torch tensors")
            if tensor.is_floating_point() and not torch.isfinite(tensor).all():
                bad = int((~torch.isfinite(tensor.flatten(1))).any(1).nonzero()[0]) if tensor.ndim > 1 else 0
                raise DataError(
                    f"'{self.entry}' has NaN or infinite inputs, first in sample {position + bad} as served",
                    "clean the data before it reaches edgekit",
                )
        return Batch(inputs, target)


def joined_targets(parts: list[Any]) -> Any:
    """Batches of targets joined to one array, or to a tuple of arrays."""
    if isinstance(parts[0], tuple):
        return tuple(np.concatenate([part[i].numpy() for part in parts]) for i in range(len(parts[0])))
    return np.concatenate([part.numpy() for part in parts])


def _head(batch: Batch, count: int) -> Batch:
    target = batch.target[:count] if isinstance(batch.target, Tensor) else tuple(t[:count] for t in batch.target)
    return Batch(tuple(each[:count] for each in batch.inputs), target)
