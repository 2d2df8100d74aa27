from typing import Any

import numpy as np
import pytest

from edgekit.errors import DataError
from edgekit.metrics.named import NAMED

LOGITS = np.array([[0.0, 1.0, 0.5], [2.0, 1.0, 0.0], [0.0, 3.0, 1.0], [1.0, 0.0, 0.5]], np.float32)
LABELS = np.array([1, 0, 2, 0])


def value(name: str, given: Any, targets: Any) -> float:
    return NAMED[name].value([np.asarray(each) for each in given], targets)


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


def test_cosine_is_of_each_sample_and_the_lowest_output() -> None:
    a, b = np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([[1.0, 1.0], [0.0, 1.0]])
    expected = (np.sqrt(0.5) + 1) / 2
    assert value("cosine", [a], [b]) == pytest.approx(expected)
    assert value("cosine", [a, a], [a, b]) == pytest.approx(expected)
    assert value("cosine", [a, LABELS], [a, LABELS + 1]) == 1
    zeros = np.zeros((2, 2))
    assert (value("cosine", [zeros], [zeros]), value("cosine", [zeros], [a])) == (1, 0)
    assert value("cosine", [a * np.nan], [a]) == 0 == value("cosine", [a[:1]], [a])
    with pytest.raises(DataError, match="no output is one"):
        value("cosine", [LABELS], [LABELS])


def test_agreement_is_of_the_largest_logits_or_of_integers() -> None:
    assert value("agreement", [LOGITS], [LOGITS[[0, 0, 0, 0]]]) == 50
    assert value("agreement", [LABELS], [np.array([1, 0, 2, 1])]) == 75
    assert value("agreement", [LOGITS], [LOGITS[:2]]) == 0
    with pytest.raises(DataError, match="agreement takes logits"):
        value("agreement", [LOGITS[:, :1]], [LOGITS[:, :1]])


@pytest.mark.parametrize(
    ("labels", "fault"),
    [
        (np.array([0, 1, 2, 3]), "outside 0 to 2"),
        (np.array([0.0, 1.0, 2.0, 0.0]), "labels are float64, not whole numbers"),
        (LOGITS, "accuracy takes logits"),
        ((), "accuracy takes logits"),
    ],
)
def test_labels_that_do_not_fit(labels: Any, fault: str) -> None:
    with pytest.raises(DataError, match=fault):
        value("accuracy", [LOGITS], labels)
