"""Named metrics. Higher is better; all but cosine are in percent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit.arrays import Array, Arrays
from edgekit.errors import DataError

_TOP = 5


Sampled = Sequence[Arrays]
"""A model's outputs for single samples, without a sample axis, so that shapes may differ."""
Score = Callable[[Sampled, Sampled], float]
"""Compares a model's outputs with those of the float model."""


@dataclass(frozen=True)
class Named:
    unit: str
    value: Callable[[Sequence[Array], Any], float] | None = None
    """Computes the metric from outputs and labels."""
    score: Score | None = None
    """Used instead of `value` for metrics that compare with the float model."""
    max_drop: float = 1.0
    """The default for how far a deployed model may fall below the float one."""


def right_labels(outputs: Sequence[Array], labels: Any) -> Array:
    """Whether the argmax of the logits is the label, shape (samples,). Raises DataError if shapes do not fit."""
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
    """The mean F1 over the classes that occur in labels or predictions: 2 hits / (labelled + predicted)."""
    predicted = _logits(outputs, labels).argmax(1)
    return _mean_share(predicted, labels, lambda hits, both: 2 * hits / both)


def _mean_iou(outputs: Sequence[Array], labels: Any) -> float:
    """The mean IoU of logits (samples, classes, ...) and labels (samples, ...), over the classes that occur in
    either."""
    logits = outputs[0]
    if not isinstance(labels, np.ndarray) or labels.shape != (logits.shape[0], *logits.shape[2:]):
        raise DataError(
            f"mean-iou takes logits (batch, classes, ...) and labels (batch, ...); the logits are {logits.shape}",
            "give a label for each position of the output",
        )
    return _mean_share(logits.argmax(1), labels, lambda hits, both: hits / (both - hits))


def _mean_share(predicted: Array, labels: Array, share: Callable[[float, float], float]) -> float:
    shares = []
    for each in np.union1d(predicted, labels):
        found, wanted = predicted == each, labels == each
        shares.append(share(float((found & wanted).sum()), float(found.sum() + wanted.sum())))
    return 100.0 * float(np.mean(shares))


def _cosine(given: Sampled, expected: Sampled) -> float:
    """The mean cosine over the samples. An output of a single value, which has no direction, is compared over all
    samples at once. Of several outputs, the lowest."""
    sides = (zip(*each, strict=True) for each in (given, expected))
    outputs = [[*zip(*both, strict=True)] for both in zip(*sides, strict=True)]
    floats = [pairs for pairs in outputs if pairs[0][0].dtype.kind == "f"]
    if not floats:
        raise DataError("cosine compares float outputs, and the model has none", 'compare labels: metric = "agreement"')
    return min(_mean_cosine(pairs) for pairs in floats)


def _mean_cosine(pairs: Sequence[tuple[Array, Array]]) -> float:
    if all(each.size == 1 for pair in pairs for each in pair):
        a, b = (np.concatenate([each.ravel() for each in side]) for side in zip(*pairs, strict=True))
        return _cosine_of(a, b)
    return float(np.mean([_cosine_of(*pair) for pair in pairs]))


def _cosine_of(given: Array, expected: Array) -> float:
    if given.shape != expected.shape:
        raise DataError(
            f"for one sample, an output has the shape {given.shape} and the float model's {expected.shape}",
            "give outputs whose shape does not depend on the data: run non-maximum suppression on the device, after "
            "the model",
        )
    if np.array_equal(given, expected):
        return 1.0
    a, b = (np.nan_to_num(each.ravel().astype(np.float64)) for each in (given, expected))
    size = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / size) if size > 0 else 0.0


def _agreement(given: Sampled, expected: Sampled) -> float:
    """The share of samples with the same argmax of logits, or the same integers."""
    return 100.0 * float(np.mean([_agree(one[0], other[0]) for one, other in zip(given, expected, strict=True)]))


def _agree(given: Array, expected: Array) -> bool:
    if given.dtype.kind != "f":
        return np.array_equal(given, expected)
    if given.ndim != 1 or len(given) < 2:
        raise DataError(
            f"agreement takes logits (classes,) for one sample; the first output is {given.shape}",
            'compare values: metric = "cosine"',
        )
    return given.shape == expected.shape and bool(given.argmax() == expected.argmax())


def _logits(outputs: Sequence[Array], labels: Any) -> Array:
    logits = outputs[0]
    if logits.ndim != 2 or not isinstance(labels, np.ndarray) or labels.ndim != 1:
        raise DataError(
            f"accuracy takes logits (batch, classes) and labels (batch,); the first output is {logits.shape}",
            'for another task name a metric: metric = "module:function", or "cosine" where only a file is built',
        )
    if labels.dtype.kind not in "iu":
        raise DataError(f"labels are {labels.dtype.name}, not integers", "give class indices as labels")
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise DataError(
            f"a label of the evaluation split is outside 0 to {logits.shape[1] - 1}",
            "correct the labels or the model",
        )
    return logits


NAMED = {
    "accuracy": Named("%", _accuracy),
    "top5": Named("% top-5", _top5),
    "macro-f1": Named("% F1", _macro_f1),
    "mean-iou": Named("% IoU", _mean_iou),
    "cosine": Named("cosine", score=_cosine, max_drop=0.01),
    "agreement": Named("% agreement", score=_agreement, max_drop=2.0),
}
