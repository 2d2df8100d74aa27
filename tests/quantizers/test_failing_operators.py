from collections.abc import Collection

import pytest

from edgekit.quantizers.failing_operators import failing_operators

NAMES = [f"n{number}" for number in range(20)]


class Quantizer:
    """Fails on the first of these operators that does not stay float."""

    def __init__(self, *failing: str) -> None:
        self.failing = failing
        self.attempts = 0

    def __call__(self, kept: Collection[str]) -> str:
        self.attempts += 1
        return next((f"cannot take {each}" for each in self.failing if each not in kept), "")


@pytest.mark.parametrize("failing", [(), ("n0",), ("n19",), ("n7",), ("n3", "n4", "n16"), tuple(NAMES[::2])])
def test_what_fails_is_found_and_nothing_else(failing: tuple[str, ...]) -> None:
    quantizer = Quantizer(*failing)
    found = failing_operators(lambda _: NAMES, quantizer)
    assert found.keys() == set(failing)
    assert quantizer.attempts <= 1 + 7 * len(failing)
    if len(failing) == 1:
        assert found == {failing[0]: f"cannot take {failing[0]}"}


def test_a_failure_that_no_operator_causes_is_not_attributed() -> None:
    assert failing_operators(lambda _: NAMES, lambda _: "there is no space left") == {}
    assert failing_operators(lambda _: NAMES, Quantizer("elsewhere")) == {}


def test_too_many_are_not_searched_for() -> None:
    many = [f"n{number}" for number in range(40)]
    assert failing_operators(lambda _: many, Quantizer(*many)) == {}


def test_of_several_that_would_do_the_likely_one_is_taken() -> None:
    """What is before an operator in float may keep it in float as well."""

    def attempt(kept: Collection[str]) -> str:
        return "" if {"conv", "pool"} & set(kept) else "cannot take pool"

    assert failing_operators(lambda _: ["conv", "pool"], attempt).keys() == {"conv"}
    found = failing_operators(lambda message: sorted(["conv", "pool"], key=lambda name: name not in message), attempt)
    assert found == {"pool": "cannot take pool"}
