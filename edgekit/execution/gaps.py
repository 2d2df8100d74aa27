"""The gap between training accuracy and evaluation accuracy, and its likely cause."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgekit.arrays import Array

_POINTS = 10.0
"""Models that generalize rarely lose more; defects lose far more."""


def gap_warning(notes: Mapping[str, Any], scores: "Array | None") -> str:
    """A warning for a trained module whose accuracy fell by more than ten points after training; else empty.

    `notes` are the training step's: `accuracy` of the last epoch in training mode, and `at_rest`, of training samples
    in evaluation mode. `scores` are those of the evaluation split, 100 or 0 per sample, shape (samples,); None if the
    metric is not accuracy, in which case only the first two are compared. Gaps within two standard errors are ignored
    as sampling noise.
    """
    trained, at_rest = notes.get("accuracy"), notes.get("at_rest", {}).get("accuracy")
    if trained is None or at_rest is None:
        return ""
    lines = [f"accuracy on training samples is {trained:.1f} % in training mode, {at_rest:.1f} % in evaluation mode"]
    by_mode = trained - at_rest
    by_data = chance = 0.0
    if scores is not None:
        value = float(scores.mean())
        by_data, chance = at_rest - value, 2.0 * float(scores.std()) / len(scores) ** 0.5
        lines.append(f"and {value:.1f} % on the evaluation split")
    if max(by_mode, by_mode + by_data - chance) <= _POINTS:
        return ""
    return f"{' '.join(lines)}: {_mode(notes) if by_mode > by_data else _DATA}"


_DATA = (
    "the module overfits its training data, or the two splits are preprocessed differently; compare their "
    "scaling and the order of their labels, then train for fewer epochs or on more data"
)


def _mode(notes: Mapping[str, Any]) -> str:
    """What may make a module compute differently in evaluation mode."""
    match notes.get("batch_norm"):
        case "kept":
            return "the batch norms' running statistics lag behind the weights; leave batch_norm at re-estimated"
        case None:
            return (
                "the module computes something else in evaluation mode; check its dropout and every use of "
                "self.training"
            )
        case _:
            return (
                "the model does better with each batch's own statistics than with re-estimated running statistics; "
                "raise "
                "batch_size, or use a norm that does not depend on the batch (GroupNorm)"
            )
