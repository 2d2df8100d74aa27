import random

import numpy as np
import torch

from edgekit.data.randomness import Randomness, iterate_with


def drawn() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def test_a_state_goes_on_where_it_was_left() -> None:
    whole, parted = Randomness(3), Randomness(3)
    with whole.in_force():
        expected = [drawn(), drawn()]
    with parted.in_force():
        found = [drawn()]
    drawn()
    with parted.in_force():
        found.append(drawn())
    assert found == expected
    assert len(set(expected)) == 2
    with Randomness(4).in_force():
        assert drawn() != expected[0]


def test_an_error_within_gives_the_generators_back() -> None:
    random.seed(1)
    expected = random.random()
    random.seed(1)
    try:
        with Randomness(0).in_force():
            random.random()
            raise KeyError
    except KeyError:
        assert random.random() == expected


def test_items_are_drawn_alone() -> None:
    def items() -> list[int]:
        return [random.randrange(10**9) for _ in range(3)]

    assert list(iterate_with(items, Randomness(1))) == list(iterate_with(items, Randomness(1)))
