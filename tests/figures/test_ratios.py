import numpy as np
import pytest

from edgekit.figures.ratios import ratio_of


def test_a_ratio_is_of_runs_side_by_side() -> None:
    clock = np.linspace(1, 3, 101)
    found = ratio_of(list(0.9 * clock), list(clock))
    assert found.median == pytest.approx(0.9) and found.high - found.low < 1e-9, "the drifting clock met both"
    assert str(found) == "0.900 (0.900 to 0.900)"


def test_the_interval_holds_what_it_should() -> None:
    random = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        times = random.lognormal(0, 0.2, (2, 60))
        found = ratio_of(list(times[0]), list(times[1]))
        assert found.low <= found.median <= found.high
        held += found.low <= 1 <= found.high
    assert held / 400 > 0.94


def test_one_slow_run_moves_nothing() -> None:
    times = [1.0] * 30
    assert ratio_of([*times, 1000.0], [*times, 1.0]).high == 1.0


def test_few_runs_have_a_wide_interval() -> None:
    found = ratio_of([1.0, 2.0, 3.0], [1.0, 1.0, 1.0])
    assert (found.low, found.median, found.high) == (1.0, 2.0, 3.0)


def test_nothing_has_no_ratio() -> None:
    with pytest.raises(ValueError, match="no runs"):
        ratio_of([], [])
    with pytest.raises(ValueError, match="zip"):
        ratio_of([1.0], [])
