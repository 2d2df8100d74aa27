import math
import random
from functools import partial

import pytest

from edgekit.latency.fitting import (
    Point,
    choose_way,
    estimate,
    estimates,
    fit_prices,
    held_out_errors,
    margin,
    scale_prices,
)
from edgekit.latency.terms import FORMULAS, MEMORY

NAMES = [part for parts in FORMULAS["by unit"].values() for part in parts]
PRICES = {"float_products": 0.6, "vector_loads": 0.3, "scalar_loads": 0.4, "branches": 1.0, MEMORY: 20.0}
"""In nanoseconds."""
SLOT_NS = 0.15
way = partial(fit_prices, slot_ns=SLOT_NS)


def points(seed: int, noise: float = 0.0, count: int = 30) -> list[Point]:
    draw = random.Random(seed)
    found = []
    for number in range(count):
        figures = {name: draw.uniform(1e5, 1e7) for name in NAMES}
        truth = sum(PRICES.get(name, 0.2) * value for name, value in figures.items()) / 1e6
        truth *= math.exp(draw.gauss(0, noise))
        found.append(Point(f"n{number}", f"f{number // 2}", figures, truth))
    return found


def test_prices_that_made_the_latencies_are_found_again() -> None:
    weights = fit_prices(points(0), SLOT_NS)["by kind"]
    assert weights == pytest.approx({name: PRICES.get(name, 0.2) for name in FORMULAS["by kind"]}, rel=1e-6)
    assert max(map(abs, held_out_errors(points(0), way).values())) < 0.3, "by unit, vector work has one price"


def test_no_instruction_costs_less_than_taking_it() -> None:
    lowest = []
    for seed in range(5):
        weights = fit_prices(points(seed, noise=0.5, count=12), SLOT_NS)
        lowest += [min(price for term, price in prices.items() if term != MEMORY) for prices in weights.values()]
        assert min(prices[MEMORY] for prices in weights.values()) >= 0
    assert min(lowest) == pytest.approx(SLOT_NS)


def test_an_estimate_is_the_mean_of_the_formulas() -> None:
    weights = fit_prices(points(1, noise=0.1), SLOT_NS)
    figures = points(2)[0].figures
    one, two = estimates(weights, figures)
    assert estimate(weights, figures) == pytest.approx(math.sqrt(one * two))


def test_an_error_is_of_prices_without_the_family() -> None:
    known = points(3, noise=0.05)
    errors = held_out_errors(known, way)
    assert list(errors) == [each.network for each in known]
    weights = fit_prices(known[2:], SLOT_NS)
    assert errors["n0"] == pytest.approx(math.log(estimate(weights, known[0].figures) / known[0].milliseconds))
    wild = [Point("n0", "f0", known[0].figures, 50 * known[0].milliseconds), *known[1:]]
    assert held_out_errors(wild, way)["n1"] == pytest.approx(errors["n1"]), "its own family moves nothing"


def test_nine_of_ten_lie_within_the_margin() -> None:
    draw = random.Random(0)
    inside = 0
    for _ in range(2000):
        reach = margin([draw.gauss(0, 1) for _ in range(20)])
        inside += abs(draw.gauss(0, 1)) <= reach
    assert 0.89 <= inside / 2000 <= 0.93, "19 of 21, as split conformal prediction has it"


def test_too_few_errors_give_no_margin() -> None:
    assert margin([0.1] * 8) == math.inf and margin([0.1] * 8 + [-0.3]) == 0.3


def times(known: list[Point], factor: float) -> list[Point]:
    return [Point(each.network, each.family, each.figures, factor * each.milliseconds) for each in known]


def test_known_prices_are_moved_by_one_number() -> None:
    weights = fit_prices(points(0), SLOT_NS)
    moved = scale_prices(times(points(0), 1.3), weights)["by kind"]
    assert moved == pytest.approx({name: 1.3 * price for name, price in weights["by kind"].items()}, rel=0.05)
    assert scale_prices([], weights) == weights


def test_the_way_that_errs_less_is_chosen() -> None:
    weights = fit_prices(points(0), SLOT_NS)
    by_number, like = partial(scale_prices, weights=weights), points(5, count=8)
    few = [
        Point(each.network, each.family, each.figures, 1.3 * estimate(weights, each.figures) * (1 + number % 3 / 50))
        for number, each in enumerate(like)
    ]
    assert choose_way(few, [by_number, way]) == by_number(few)
    other = [Point(each.network, each.family, each.figures, each.figures[MEMORY] / 1e5) for each in points(6)]
    assert choose_way(other, [by_number, way]) == way(other)
    assert choose_way(few[:1], [by_number]) == by_number(few[:1])
