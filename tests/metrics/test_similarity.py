import numpy as np
import pytest

from edgekit.arrays import Array
from edgekit.errors import DataError
from edgekit.metrics.named import NAMED, Score
from edgekit.metrics.similarity import chance_similarity, similarities


def cosine() -> Score:
    found = NAMED["cosine"].score
    assert found is not None
    return found


def sampled(*arrays: Array) -> list[tuple[Array, ...]]:
    return [(each,) for each in arrays]


def test_it_is_the_mean_over_samples_of_any_shapes() -> None:
    given = sampled(np.array([1.0, 0.0]), np.ones((2, 3)))
    expected = sampled(np.array([1.0, 1.0]), np.ones((2, 3)))
    value = (np.sqrt(0.5) + 1) / 2
    assert cosine()(given, expected) == pytest.approx(value)
    assert similarities(given, expected) == {"cosine": pytest.approx(value)}, "images of logits cannot agree"
    logits = sampled(*np.eye(3))
    assert similarities(logits, logits) == {"cosine": 1.0, "agreement": 100.0}


def test_outputs_that_hang_on_the_data_are_reported() -> None:
    with pytest.raises(DataError, match=r"an output has the shape \(2,\) and the float model's \(3,\)"):
        cosine()(sampled(np.ones(2)), sampled(np.ones(3)))
    assert similarities(sampled(np.ones(1)), sampled(np.ones(3))) == {}


def test_chance_is_what_samples_of_one_shape_reach_for_each_other() -> None:
    alike = sampled(*np.ones((4, 3)))
    given = sampled(*np.ones((4, 3)) * [1, 1, 0.9])
    assert chance_similarity(cosine(), given, alike, 0) == cosine()(given, alike)
    apart = sampled(*np.eye(4))
    chance = chance_similarity(cosine(), apart, apart, 0)
    assert chance == 0, "none is dealt to itself"
    several = [*alike, *sampled(np.ones(5))]
    assert chance_similarity(cosine(), several, several, 0) == 1, "the one of another shape has none to change with"
    assert chance_similarity(cosine(), several[3:], several[3:], 0) is None
