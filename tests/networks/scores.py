"""What networks are trained on and judged by where that is not cross entropy and accuracy."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy


def steps_loss(scores: Tensor, following: Tensor) -> Tensor:
    """Of scores (steps, batch, numbers) and what follows, (batch, steps)."""
    return cross_entropy(scores.permute(1, 2, 0), following)


def steps_metric(scores: NDArray[np.float32], following: NDArray[np.int64]) -> float:
    """From the third number on a progression is known: how many are right, in per cent."""
    return 100.0 * float((following == scores.argmax(2).T)[:, 2:].mean())


def shadows_loss(logits: Tensor, ink: Tensor) -> Tensor:
    return binary_cross_entropy_with_logits(logits, ink)


def shadows_metric(logits: NDArray[np.float32], ink: NDArray[np.float32]) -> float:
    """The intersection over the union of found and true ink, in per cent."""
    found, true = logits > 0, ink > 0.5
    return 100.0 * float((found & true).sum() / (found | true).sum())
