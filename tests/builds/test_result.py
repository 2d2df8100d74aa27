from dataclasses import replace

import pytest

from edgekit.builds.result import Build, RejectedRecipe
from edgekit.gates.gates import Gate, Status


def with_gates(built: Build, *gates: Gate, rejected_recipes: tuple[RejectedRecipe, ...] = ()) -> Build:
    target = built.targets[0]
    verdict = replace(target.verdict, gates=gates)
    return replace(built, targets=(replace(target, verdict=verdict, rejected_recipes=rejected_recipes),))


@pytest.mark.parametrize(
    ("name", "status", "passes", "strictly"),
    [
        ("parity", Status.PASSED, True, True),
        ("parity", Status.FAILED, False, False),
        ("parity", Status.NOT_RUN, True, False),
        ("never-slower", Status.NOT_RUN, True, True),
        ("never-slower", Status.FAILED, False, False),
    ],
)
def test_a_build_passes_where_no_gate_failed(
    built: Build, name: str, status: Status, passes: bool, strictly: bool
) -> None:
    result = with_gates(built, Gate(name, status, "why"))
    assert (result.passes(strict=False), result.passes(strict=True)) == (passes, strictly)


def test_floats_in_the_place_of_slower_integers_are_not_strict(built: Build) -> None:
    result = with_gates(built, rejected_recipes=(RejectedRecipe("int8", "slower", "never-slower"),))
    assert result.targets[0].shuns_slow_integers
    assert result.passes(strict=False) and not result.passes(strict=True)
