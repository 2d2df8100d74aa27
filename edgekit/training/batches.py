"""Batches of numpy arrays as tensors."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from edgekit.arrays import Array, Arrays
from edgekit.data.split import Batch as ArrayBatch
from edgekit.data.split import Split
from edgekit.data.trees import mapped


@dataclass(frozen=True)
class Batch:
    inputs: tuple[Tensor, ...]
    """One tensor for each of the model's inputs, batch axis first."""
    target: Any
    """A tensor, or tuples and dicts of them; for classification the labels, shape (batch,), integers."""

    def __len__(self) -> int:
        return len(self.inputs[0])

    def on(self, device: torch.device) -> "Batch":
        """The same batch on another device."""
        target = None if self.target is None else mapped(lambda each: each.to(device), self.target)
        return Batch(tuple(each.to(device) for each in self.inputs), target)


def tensor_batches(split: Split, epoch: int = 0, limit: int | None = None) -> Iterator[Batch]:
    """The batches of one epoch, as `Split.batches` gives them."""
    return (_as_tensors(batch) for batch in split.batches(epoch, limit))


def tensor_example(split: Split) -> Batch:
    """The first sample, as a batch of one."""
    return _as_tensors(split.example())


def unlabelled(inputs: Arrays) -> Batch:
    """Inputs alone, as tensors: a batch without target."""
    return Batch(tuple(_tensor(each) for each in inputs), None)


def _as_tensors(batch: ArrayBatch) -> Batch:
    return Batch(tuple(_tensor(each) for each in batch.inputs), mapped(_tensor, batch.target))


def _tensor(array: Array) -> Tensor:
    """It shares the array's memory where that may be written to."""
    return torch.from_numpy(array if array.flags.writeable else array.copy())
