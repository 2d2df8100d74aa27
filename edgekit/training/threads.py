"""The number of threads that a training takes."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from edgekit.data.split import Split
from edgekit.training.batches import tensor_batches
from edgekit.training.modules import device_of_training, module_macs

SMALL_STEP = 50_000_000
"""Multiply-accumulates of a batch's forward pass up to which one thread is taken.

Measured on two cores, in ms a step with one and two threads: a GRU of 32 units (5 million) 4.3 and 4.9, a CNN (21
million) 3.9 and 3.0, one of 158 million 20 and 16. Beside four busy processes: 25 and 1264, 14 and 679, 74 and 1146,
because threads spin while they wait for one another. With GOMP_SPINCOUNT=1000, two threads take 27, 34 and 97 there,
and alone no longer than without it (medians of seven: 16.4 and 17.4)."""


@contextmanager
def training_threads(module: nn.Module, split: Split, given: int | None = None) -> Iterator[None]:
    """Train in this block with `given` threads; by default with one if a step of the module on the split's batches is
    small, else with PyTorch's own number. `module` is in evaluation mode."""
    count = given or _default_count(module, split)
    before = torch.get_num_threads()
    if count is None or count == before:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _default_count(module: nn.Module, split: Split) -> int | None:
    if device_of_training().type != "cpu" or torch.get_num_threads() == 1:
        return None
    batch = next(tensor_batches(split))
    return 1 if module_macs(module, batch) * len(batch) <= SMALL_STEP else None
