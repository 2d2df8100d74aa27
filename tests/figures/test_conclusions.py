"""What is concluded from intervals, and how often wrongly, on simulated studies whose truth is known."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.figures.conclusions import Conclusion, conclusion_on, family_levels, is_large_loss
from edgekit.figures.intervals import LEVEL, Estimate, Interval, estimate_difference

ends = st.floats(-50, 50)


@pytest.mark.parametrize(
    ("points", "conclusion"),
    [
        (Interval(-5, -7, -3), "worse"),
        (Interval(-0.5, -0.7, -0.3), "worse"),
        (Interval(2, 1, 3), "better"),
        (Interval(0.1, -0.9, 0.9), "equivalent"),
        (Interval(0.0, 0.0, 0.0), "equivalent"),
        (Interval(-16.5, -37.9, 4.8), "undecided"),
        (Interval(0.3, -0.5, 1.1), "undecided"),
        (Interval(-16.5, None, None), "undecided"),
        (Interval(0.0, None, None), "undecided"),
    ],
)
def test_only_an_interval_within_the_margin_shows_equivalence(points: Interval, conclusion: str) -> None:
    assert conclusion_on(points, 1.0) == conclusion


@given(ends, ends, st.floats(0.1, 5))
def test_a_conclusion_is_reversed_with_the_sign(one: float, other: float, margin: float) -> None:
    low, high = sorted((one, other))
    points, turned = Interval((low + high) / 2, low, high), Interval(-(low + high) / 2, -high, -low)
    other_way = {Conclusion.BETTER: Conclusion.WORSE, Conclusion.WORSE: Conclusion.BETTER}
    conclusion = conclusion_on(points, margin)
    assert conclusion_on(turned, margin) is other_way.get(conclusion, conclusion)
    if is_large_loss(points, margin):
        assert conclusion_on(points, margin) is Conclusion.WORSE


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(0.01, 4), st.integers(1, 60)), min_size=1, max_size=8))
def test_an_interval_excludes_zero_where_holms_procedure_rejects(given_: list[tuple[float, float, int]]) -> None:
    estimates = [Estimate(mean, ((error, freedom),)) for mean, error, freedom in given_]
    by_p = sorted((each.p_value or 0.0, index) for index, each in enumerate(estimates))
    rejected: set[int] = set()
    for rank, (p, index) in enumerate(by_p):
        if p > (1 - LEVEL) / (len(by_p) - rank):
            break
        rejected.add(index)
    for index, (each, level) in enumerate(zip(estimates, family_levels(estimates), strict=True)):
        found = each.interval(level)
        assert LEVEL - 1e-12 <= level <= 1 - (1 - LEVEL) / len(estimates) + 1e-12
        assert (found.is_above_zero or found.is_below_zero) == (index in rejected)


def test_a_single_comparison_keeps_its_level_and_one_seed_is_not_counted() -> None:
    alone, one_seed = Estimate(1.0, ((1.0, 4),)), Estimate(9.0, ())
    assert family_levels([alone]) == [pytest.approx(LEVEL)] and family_levels([]) == []
    assert family_levels([alone, one_seed]) == [pytest.approx(LEVEL), LEVEL]


def scores(random: np.random.Generator, seeds: int, arms: int, samples: int = 900) -> list[np.ndarray]:  # type: ignore[type-arg]
    """Correctness, 0 or 100, of arms without any difference: a difficulty of each sample, a quality of each seed and
    arm, and independent noise."""
    difficulty = random.normal(0, 1, samples)
    shared = random.normal(0, 0.1, (seeds, 1))
    return [
        100.0
        * (2 + shared + random.normal(0, 0.1, (seeds, 1)) - difficulty + random.logistic(0, 0.3, (seeds, samples)) > 0)
        for _ in range(arms)
    ]


def conclusions(random: np.random.Generator, seeds: int, techniques: int) -> list[Conclusion]:
    """The conclusions on all orders of some techniques, each compared with its neighbours, as `study --orders` does."""
    orders = list(permutations(range(techniques)))
    arms = scores(random, seeds, len(orders))
    found = []
    for i, one in enumerate(orders):
        for j, other in enumerate(orders[:i]):
            at = [place for place in range(techniques) if one[place] != other[place]]
            if len(at) == 2 and at[1] == at[0] + 1:
                means = (list(arms[each].mean(1)) for each in (i, j))
                found.append(estimate_difference(*means, arms[i], arms[j]))
    levels = family_levels(found)
    return [conclusion_on(each.interval(level), 1.0) for each, level in zip(found, levels, strict=True)]


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_orders_that_do_not_differ_have_no_winner_in_twenty_studies(seeds: int) -> None:
    random = np.random.default_rng(seeds)
    for _ in range(20):
        assert set(conclusions(random, seeds, 3)) <= {Conclusion.EQUIVALENT, Conclusion.UNDECIDED}


def test_of_many_orders_alike_a_false_winner_is_rare() -> None:
    """Four techniques have 36 comparisons. Without Holm's procedure, 82 % of such studies named a winner."""
    random = np.random.default_rng(7)
    wrong = sum(not set(conclusions(random, 3, 4)) <= {Conclusion.EQUIVALENT, Conclusion.UNDECIDED} for _ in range(40))
    assert wrong <= 4


@pytest.mark.parametrize("seeds", [2, 3])
def test_few_seeds_name_a_false_winner_no_more_often_than_stated(seeds: int) -> None:
    """With Satterthwaite's degrees of freedom alone, 8 to 11 % of the studies of two seeds named one."""
    random, wrong = np.random.default_rng(seeds), 0
    for _ in range(300):
        first, second = scores(random, seeds, 2, 300)
        found = estimate_difference(list(first.mean(1)), list(second.mean(1)), first, second).interval()
        wrong += found.is_above_zero or found.is_below_zero
    assert wrong <= 0.07 * 300


def test_orders_that_do_differ_are_found() -> None:
    random, found = np.random.default_rng(5), 0
    for _ in range(20):
        first, second = scores(random, 5, 2)
        second = np.where(random.random(second.shape) < 0.08, 0.0, second)
        estimate = estimate_difference(list(first.mean(1)), list(second.mean(1)), first, second)
        found += conclusion_on(estimate.interval(family_levels([estimate])[0]), 1.0) is Conclusion.BETTER
    assert found >= 18
