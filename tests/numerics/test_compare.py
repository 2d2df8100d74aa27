import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from edgekit.numerics.compare import lost_parts, relative_difference, signal_to_noise

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


def test_decibels_of_a_known_noise() -> None:
    signal = np.tile([1.0, -1.0], 50)
    assert np.isclose(signal_to_noise(signal, signal + 0.1), 20.0)
    assert np.isclose(signal_to_noise(signal + 1000, signal + 1000.1), 20.0), "what varies is the signal"
    assert np.isclose(signal_to_noise(np.full(9, 5.0), np.full(9, 5.5)), 20.0), "unless nothing does"
    assert signal_to_noise(signal, signal) == float("inf")


def test_what_is_not_finite_must_stand_against_its_like() -> None:
    masked = np.array([1.0, -1.0, -np.inf])
    assert np.isclose(signal_to_noise(masked, masked + 0.1), 20.0)
    assert signal_to_noise(masked, np.array([1.0, -1.0, -1e9])) == float("-inf")
    assert signal_to_noise(np.ones(3), np.ones(4)) == float("-inf")


@pytest.mark.parametrize(("axis", "told"), [(1, "2 of 6 along axis 1"), (2, "2 of 6 along axis 2")])
def test_lost_parts_are_counted_along_their_axis(axis: int, told: str) -> None:
    random = np.random.default_rng(0)
    whole = random.uniform(0, 640, (8, 6, 6))
    whole = np.moveaxis(whole, 1, axis)
    scores = (slice(None),) * axis + (slice(4, 6),)
    whole[scores] /= 640
    lost = whole.copy()
    lost[scores] = 0
    assert signal_to_noise(whole, lost) > 50, "which is what the whole would tell"
    assert str(lost_parts(whole, lost)) == told
    assert lost_parts(whole, whole + 1e-3 * random.standard_normal(whole.shape)) is None
