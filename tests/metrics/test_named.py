from typing import Any

import numpy as np
import pytest

from edgekit.errors import DataError
from edgekit.metrics.named import NAMED

LOGITS = np.array([[0.0, 1.0, 0.5], [2.0, 1.0, 0.0], [0.0, 3.0, 1.0], [1.0, 0.0, 0.5]], np.float32)
LABELS = np.array([1, 0, 2, 0])


def value(name: str, given: Any, targets: Any) -> float:
    value_of = NAMED[name].value
    assert value_of is not None
    return value_of([np.asarray(each) for each in given], targets)


def score(name: str, given: Any, expected: Any) -> float:
    score_of = NAMED[name].score
    assert score_of is not None
    return score_of([tuple(given)], [tuple(expected)])


def test_of_classes() -> None:
    assert value("accuracy", [LOGITS], LABELS) == 75
    assert value("top5", [np.arange(24).reshape(3, 8)], np.array([0, 3, 2])) == pytest.approx(100 / 3)
    # Class 0: 2 of 2 and 2; class 1: 1 hit of 1 labelled and 2 predicted; class 2: none.
    assert value("macro-f1", [LOGITS], LABELS) == pytest.approx(100 * (1 + 2 / 3 + 0) / 3)


def test_mean_iou_is_over_places_and_classes_that_occur() -> None:
    logits = np.zeros((1, 3, 2, 2))
    logits[0, 0, 0] = logits[0, 1, 1] = 1
    labels = np.array([[[0, 1], [1, 1]]])
    assert value("mean-iou", [logits], labels) == pytest.approx(100 * (1 / 2 + 2 / 3) / 2)
    with pytest.raises(DataError, match="mean-iou takes logits"):
        value("mean-iou", [logits], LABELS)


def test_cosine_is_of_the_lowest_output() -> None:
    a, b = np.array([1.0, 0.0]), np.array([1.0, 1.0])
    assert score("cosine", [a], [b]) == pytest.approx(np.sqrt(0.5)) == score("cosine", [b, a], [b, b])
    assert score("cosine", [a, LABELS], [a, LABELS + 1]) == 1
    zeros = np.zeros(2)
    assert (score("cosine", [zeros], [zeros]), score("cosine", [zeros], [a])) == (1, 0)
    assert score("cosine", [a * np.nan], [a]) == 0
    with pytest.raises(DataError, match="and the model has none"):
        score("cosine", [LABELS], [LABELS])
    with pytest.raises(DataError, match="an output has the shape"):
        score("cosine", [a], [a[:1]])


def test_cosine_of_single_values_is_of_all_samples_at_once() -> None:
    """Of a probability alone it would be 1 whatever it is."""
    cosine = NAMED["cosine"].score
    assert cosine is not None
    given, expected = ([(np.array([value]),) for value in values] for values in ([1.0, 0.0, 1.0], [1.0, 1.0, 0.0]))
    assert cosine(given, expected) == pytest.approx(0.5) and cosine(given, given) == 1
    several = [(np.array([3.0, 4.0]), each) for (each,) in given]
    assert cosine(
        several, [(first, each) for (first, _), (each,) in zip(several, expected, strict=True)]
    ) == pytest.approx(0.5)


def test_agreement_is_of_the_largest_logit_or_of_integers() -> None:
    assert [score("agreement", [LOGITS[0]], [each]) for each in LOGITS] == [100, 0, 100, 0]
    assert [score("agreement", [LABELS], [each]) for each in (LABELS, LABELS[::-1], LABELS[:1])] == [100, 0, 0]
    assert score("agreement", [LOGITS[0]], [LOGITS[0, :2]]) == 0
    with pytest.raises(DataError, match=r"agreement takes logits \(classes,\) for one"):
        score("agreement", [LOGITS[0, :1]], [LOGITS[0, :1]])


@pytest.mark.parametrize(
    ("labels", "fault"),
    [
        (np.array([0, 1, 2, 3]), "outside 0 to 2"),
        (np.array([0.0, 1.0, 2.0, 0.0]), "labels are float64, not integers"),
        (LOGITS, "accuracy takes logits"),
        ((), "accuracy takes logits"),
    ],
)
def test_labels_that_do_not_fit(labels: Any, fault: str) -> None:
    with pytest.raises(DataError, match=fault):
        value("accuracy", [LOGITS], labels)
