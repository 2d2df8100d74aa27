import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from edgekit.model.parity import relative_difference

ARRAYS = npst.arrays(np.float32, (2, 3), elements=st.floats(-100, 100, width=32))


@given(ARRAYS)
def test_a_run_equals_itself(array: np.ndarray) -> None:
    assert relative_difference([array], [array]) == 0.0


@given(ARRAYS, st.floats(0.1, 10))
def test_the_scale_of_the_outputs_does_not_matter(array: np.ndarray, scale: float) -> None:
    left, right = np.abs(array.astype(np.float64)) + 1.0, array.astype(np.float64) + 2.0
    first, second = relative_difference([left], [right]), relative_difference([left * scale], [right * scale])
    assert np.isclose(first, second, rtol=1e-6)


def test_a_nan_against_a_number_and_another_shape_are_infinitely_far() -> None:
    numbers, nans = np.ones(3), np.full(3, np.nan)
    assert relative_difference([numbers], [nans]) == float("inf")
    assert relative_difference([numbers], [np.ones(4)]) == float("inf")
    assert relative_difference([nans], [nans]) == 0.0
    assert relative_difference([np.ones(0)], [np.ones(0)]) == 0.0


def test_a_small_part_is_not_drowned_in_a_large_one() -> None:
    boxes = np.linspace(0, 640, 20).reshape(5, 4)
    scores = np.linspace(0, 1, 10).reshape(5, 2)
    whole, lost = np.concatenate([boxes, scores], 1), np.concatenate([boxes, scores * 0], 1)
    assert np.isclose(relative_difference([whole], [lost]), 1 / 64)
