"""The metrics that have a name. Higher is better; all but cosine are in per cent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit.arrays import Array
from edgekit.errors import DataError

_TOP = 5


@dataclass(frozen=True)
class Named:
    unit: str
    value: Callable[[Sequence[Array], Any], float]
    """Of a model's outputs and the targets."""
    compares: bool = False
    """With the float model's outputs, samples first, as targets; else with labels."""
    max_drop: float = 1.0
    """How far a deployed model may fall below the float one where nobody says."""


def right_labels(outputs: Sequence[Array], labels: Any) -> Array:
    """Whether the largest logit is the label's, (samples,). Raises DataError where they do not fit together."""
    logits = _logits(outputs, labels)
    right: Array = logits.argmax(1) == labels
    return right


def _accuracy(outputs: Sequence[Array], labels: Any) -> float:
    return 100.0 * float(right_labels(outputs, labels).mean())


def _top5(outputs: Sequence[Array], labels: Any) -> float:
    logits = _logits(outputs, labels)
    best = np.argsort(-logits, axis=1, kind="stable")[:, :_TOP]
    return 100.0 * float((best == labels[:, None]).any(1).mean())


def _macro_f1(outputs: Sequence[Array], labels: Any) -> float:
    """The mean over the classes that are labelled or predicted: 2 hits / (labelled + predicted)."""
    predicted = _logits(outputs, labels).argmax(1)
    return _mean_share(predicted, labels, lambda hits, both: 2 * hits / both)


def _mean_iou(outputs: Sequence[Array], labels: Any) -> float:
    """Of logits (samples, classes, ...) and labels (samples, ...), over the classes that are labelled or predicted."""
    logits = outputs[0]
    if not isinstance(labels, np.ndarray) or labels.shape != (logits.shape[0], *logits.shape[2:]):
        raise DataError(
            f"mean-iou takes logits (batch, classes, ...), here {logits.shape}, and labels (batch, ...)",
            "give a label for each place of the output",
        )
    return _mean_share(logits.argmax(1), labels, lambda hits, both: hits / (both - hits))


def _mean_share(predicted: Array, labels: Array, share: Callable[[float, float], float]) -> float:
    shares = []
    for each in np.union1d(predicted, labels):
        found, wanted = predicted == each, labels == each
        shares.append(share(float((found & wanted).sum()), float(found.sum() + wanted.sum())))
    return 100.0 * float(np.mean(shares))


def _cosine(outputs: Sequence[Array], expected: Any) -> float:
    """Of each sample's values, averaged over the samples; of several outputs the lowest."""
    pairs = [pair for pair in zip(outputs, expected, strict=True) if pair[0].dtype.kind == "f"]
    if not pairs:
        raise DataError("cosine compares floats, and no output is one", 'compare labels: metric = "agreement"')
    return min(_mean_cosine(*pair) for pair in pairs)


def _mean_cosine(given: Array, expected: Array) -> float:
    if given.shape != expected.shape:
        return 0.0
    a, b = (np.nan_to_num(each.reshape(len(each), -1).astype(np.float64)) for each in (given, expected))
    sizes = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    alike = (a == b).all(1)
    products = np.divide((a * b).sum(1), sizes, out=np.zeros(len(a)), where=sizes > 0)
    return float(np.where(alike, 1.0, products).mean())


def _agreement(outputs: Sequence[Array], expected: Any) -> float:
    """The share of samples with the same largest logit; of outputs that are integers, with the same values."""
    given, wanted = outputs[0], expected[0]
    if given.shape != wanted.shape:
        return 0.0
    if given.dtype.kind == "f":
        if given.ndim != 2 or given.shape[1] < 2:
            raise DataError(
                f"agreement takes logits (batch, classes); the first output is {given.shape}",
                'compare values: metric = "cosine"',
            )
        return 100.0 * float((given.argmax(1) == wanted.argmax(1)).mean())
    return 100.0 * float((given.reshape(len(given), -1) == wanted.reshape(len(given), -1)).all(1).mean())


def _logits(outputs: Sequence[Array], labels: Any) -> Array:
    logits = outputs[0]
    if logits.ndim != 2 or not isinstance(labels, np.ndarray) or labels.ndim != 1:
        raise DataError(
            f"accuracy takes logits (batch, classes) and labels (batch,); the first output is {logits.shape}",
            'for another task name a metric: metric = "module:function", or "cosine" where only a file is built',
        )
    if labels.dtype.kind not in "iu":
        raise DataError(f"labels are {labels.dtype.name}, not whole numbers", "give the numbers of the classes")
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise DataError(
            f"a label of the evaluation split lies outside 0 to {logits.shape[1] - 1}",
            "correct the labels or the model",
        )
    return logits


NAMED = {
    "accuracy": Named("%", _accuracy),
    "top5": Named("% top-5", _top5),
    "macro-f1": Named("% F1", _macro_f1),
    "mean-iou": Named("% IoU", _mean_iou),
    "cosine": Named("cosine", _cosine, compares=True, max_drop=0.01),
    "agreement": Named("% agreement", _agreement, compares=True, max_drop=2.0),
}
