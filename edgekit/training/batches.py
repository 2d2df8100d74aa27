"""Batches of numpy arrays as tensors."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from edgekit.arrays import Array, Arrays
from edgekit.data.split import SampleBatch, Split
from edgekit.data.trees import map_tree


@dataclass(frozen=True)
class TensorBatch:
    inputs: tuple[Tensor, ...]
    """One tensor per model input, batch axis first."""
    target: Any
    """A tensor, or tuples and dicts of tensors; integer labels of shape (batch,) for classification."""

    def __len__(self) -> int:
        return len(self.inputs[0])

    def on(self, device: torch.device) -> "TensorBatch":
        """The same batch on another device."""
        target = None if self.target is None else map_tree(lambda each: each.to(device), self.target)
        return TensorBatch(tuple(each.to(device) for each in self.inputs), target)


def tensor_batches(split: Split, epoch: int = 0, limit: int | None = None) -> Iterator[TensorBatch]:
    """The batches of one epoch, as `Split.batches` yields them."""
    return (_as_tensors(batch) for batch in split.batches(epoch, limit))


def tensor_example(split: Split) -> TensorBatch:
    """The first sample, as a batch of one."""
    return _as_tensors(split.example())


def unlabelled_batch(inputs: Arrays) -> TensorBatch:
    """Inputs (samples, ...) as tensors without a target."""
    return TensorBatch(tuple(_tensor(each) for each in inputs), None)


def _as_tensors(batch: SampleBatch) -> TensorBatch:
    return TensorBatch(tuple(_tensor(each) for each in batch.inputs), map_tree(_tensor, batch.target))


def _tensor(array: Array) -> Tensor:
    """The tensor shares the array's memory if that is writable."""
    return torch.from_numpy(array if array.flags.writeable else array.copy())
