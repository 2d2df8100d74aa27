"""Loss and accuracy over batches."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from edgekit.arrays import Outputs
from edgekit.data.split import Split
from edgekit.errors import EdgekitError
from edgekit.training.batches import TensorBatch, tensor_batches
from edgekit.training.modules import device_of_training, outputs_of

Loss = Callable[[Outputs[Tensor], TensorBatch], Tensor]
"""Maps (the module's outputs, the batch) to a scalar."""


class Tally:
    """Loss and accuracy over the batches that were added."""

    def __init__(self) -> None:
        self._loss = 0.0
        self._right = 0
        self._labelled = 0
        self._samples = 0

    def add(self, loss: float, first: Tensor, batch: TensorBatch) -> None:
        """Add a batch: its mean loss (a scalar), the module's first output (batch, ...), the targets."""
        self._loss += loss * len(batch)
        self._samples += len(batch)
        if (
            isinstance(batch.target, Tensor)
            and batch.target.ndim == 1
            and first.ndim == 2
            and not batch.target.is_floating_point()
        ):
            self._right += int((first.argmax(1).cpu() == batch.target.cpu()).sum())
            self._labelled += len(batch)

    def summary(self) -> dict[str, float]:
        """`loss`, the mean over samples; and `accuracy` in percent if the targets are labels."""
        values = {"loss": self._loss / max(self._samples, 1)}
        if self._labelled:
            values["accuracy"] = 100 * self._right / self._labelled
        return values


def tally_at_rest(module: nn.Module, split: Split, loss: Loss, samples: int) -> dict[str, float]:
    """The `Tally` of a module in evaluation mode over the first `samples` of a split. Leaves the module on the CPU.

    The loss is NaN if it cannot be computed: a module may have other outputs in evaluation mode than in training mode.
    """
    device = device_of_training()
    module.to(device).eval()
    tally = Tally()
    with torch.no_grad():
        for batch in tensor_batches(split, limit=samples):
            outputs = outputs_of(module, batch.on(device))
            try:
                value = loss(outputs, batch.on(device)).item()
            except EdgekitError:
                value = math.nan
            tally.add(value, outputs[0], batch)
    module.cpu()
    return tally.summary()
