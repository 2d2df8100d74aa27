import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from edgekit.figures.intervals import Interval, estimate_difference, mean_of

values = st.lists(st.floats(-100, 100), min_size=2, max_size=8)


@given(values)
def test_the_mean_of_seeds_is_students(numbers: list[float]) -> None:
    found = mean_of(numbers)
    assert found.low is not None and found.high is not None
    assert found.low <= found.mean + 1e-9 and found.mean <= found.high + 1e-9
    if np.std(numbers) > 1e-3:
        low, high = stats.t.interval(0.95, len(numbers) - 1, np.mean(numbers), stats.sem(numbers))
        assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_one_seed_alone_has_no_interval() -> None:
    assert mean_of([3.0]) == Interval(3.0, None, None)
    assert not mean_of([3.0]).is_above_zero and not mean_of([-3.0]).is_below_zero
    assert str(mean_of([3.0])) == "+3.00"
    with pytest.raises(ValueError, match="no values"):
        mean_of([])


@given(values, st.floats(-50, 50))
def test_a_difference_is_paired_and_turns_round(numbers: list[float], shift: float) -> None:
    others = [each + shift for each in numbers]
    forth, back = estimate_difference(others, numbers).interval(), estimate_difference(numbers, others).interval()
    assert forth.mean == pytest.approx(shift, abs=1e-6)
    assert back.mean == pytest.approx(-forth.mean, abs=1e-9)
    assert forth.high is not None and forth.high - forth.mean < 1e-4, "what all seeds share is no uncertainty"


def test_samples_add_to_the_uncertainty_of_seeds() -> None:
    random = np.random.default_rng(0)
    first = random.random((5, 40)) < 0.9
    second = random.random((5, 40)) < 0.8
    means = [100 * each.mean(1) for each in (first, second)]
    wide = estimate_difference(*means, 100.0 * first, 100.0 * second).interval()
    plain = estimate_difference(*means).interval()
    assert wide.mean == pytest.approx(plain.mean)
    assert wide.low is not None and wide.low < wide.mean < (wide.high or 0)
    by_sample = (100.0 * first - 100.0 * second).mean(0).std(ddof=1) / np.sqrt(40)
    assert wide.high is not None and wide.high - wide.mean > 1.96 * by_sample


def test_intervals_cover_what_they_should() -> None:
    """Over many draws of seeds and samples, the true difference lies within in at least 95 of 100."""
    random, inside = np.random.default_rng(1), 0
    for _ in range(300):
        seeds, samples = random.normal(0, 1, (4, 1)), random.normal(0, 3, (1, 60))
        scores = 2 + seeds + samples + random.normal(0, 2, (4, 60))
        found = estimate_difference(list(scores.mean(1)), [0] * 4, scores, np.zeros_like(scores)).interval()
        inside += (found.low or 0) <= 2 <= (found.high or 0)
    assert inside >= 0.93 * 300


def test_what_a_figure_cannot_be_is_cut_off() -> None:
    assert Interval(98.0, 90.0, 106.0).within(0, 100) == Interval(98.0, 90.0, 100.0)
    assert Interval(98.0, None, None).within(0, 100) == Interval(98.0, None, None)
