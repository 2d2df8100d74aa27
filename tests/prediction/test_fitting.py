import math
import random

import pytest

from edgekit.prediction.fitting import Point, estimate, estimates, fitted, held_out_errors, margin
from edgekit.prediction.terms import FORMULAS, MEMORY

NAMES = [part for parts in FORMULAS["by unit"].values() for part in parts]
PRICES = {"float_products": 0.6, "vector_loads": 0.3, "scalar_loads": 0.4, "branches": 1.0, MEMORY: 20.0}
"""In nanoseconds."""
SLOT_NS = 0.15


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
    weights = fitted(points(0), SLOT_NS)["by kind"]
    assert weights == pytest.approx({name: PRICES.get(name, 0.2) for name in FORMULAS["by kind"]}, rel=1e-6)
    assert max(map(abs, held_out_errors(points(0), SLOT_NS).values())) < 0.3, "by unit, vector work has one price"


def test_no_instruction_costs_less_than_taking_it() -> None:
    lowest = []
    for seed in range(5):
        weights = fitted(points(seed, noise=0.5, count=12), SLOT_NS)
        lowest += [min(price for term, price in prices.items() if term != MEMORY) for prices in weights.values()]
        assert min(prices[MEMORY] for prices in weights.values()) >= 0
    assert min(lowest) == pytest.approx(SLOT_NS)


def test_an_estimate_is_the_mean_of_the_formulas() -> None:
    weights = fitted(points(1, noise=0.1), SLOT_NS)
    figures = points(2)[0].figures
    one, two = estimates(weights, figures)
    assert estimate(weights, figures) == pytest.approx(math.sqrt(one * two))


def test_an_error_is_of_prices_without_the_family() -> None:
    known = points(3, noise=0.05)
    errors = held_out_errors(known, SLOT_NS)
    assert list(errors) == [each.network for each in known]
    weights = fitted(known[2:], SLOT_NS)
    assert errors["n0"] == pytest.approx(math.log(estimate(weights, known[0].figures) / known[0].milliseconds))
    wild = [Point("n0", "f0", known[0].figures, 50 * known[0].milliseconds), *known[1:]]
    assert held_out_errors(wild, SLOT_NS)["n1"] == pytest.approx(errors["n1"]), "its own family moves nothing"


def test_nine_of_ten_lie_within_the_margin() -> None:
    draw = random.Random(0)
    inside = 0
    for _ in range(2000):
        reach = margin([draw.gauss(0, 1) for _ in range(20)])
        inside += abs(draw.gauss(0, 1)) <= reach
    assert 0.89 <= inside / 2000 <= 0.93, "19 of 21, as split conformal prediction has it"


def test_too_few_errors_give_no_margin() -> None:
    assert margin([0.1] * 8) == math.inf and margin([0.1] * 8 + [-0.3]) == 0.3
