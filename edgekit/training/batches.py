"""Batches of numpy arrays as tensors."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from edgekit.arrays import Array, Arrays
from edgekit.data.split import Batch as ArrayBatch
from edgekit.data.split import Split


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
        target = tuple(t.to(device) for t in self.target) if isinstance(self.target, tuple) else self.target
        target = target.to(device) if isinstance(target, Tensor) else target
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
    target = batch.target
    return Batch(
        tuple(_tensor(each) for each in batch.inputs),
        tuple(_tensor(each) for each in target) if isinstance(target, tuple) else _tensor(target),
    )


def _tensor(array: Array) -> Tensor:
    """It shares the array's memory where that may be written to."""
    return torch.from_numpy(array if array.flags.writeable else array.copy())
