import pytest

from edgekit.wording import format_level, format_metric


@pytest.mark.parametrize(
    ("value", "unit", "told"),
    [
        (98.4375, "%", "98.44"),
        (0.99671, "r2", "0.9967"),
        (-0.000123456, "r2", "-0.0001235"),
        (12.3456, "mae", "12.35"),
        (123456.7, "score", "123,457"),
    ],
)
def test_a_metric_is_told_to_the_digits_that_count(value: float, unit: str, told: str) -> None:
    assert format_metric(value, unit) == told


def test_a_difference_has_its_sign() -> None:
    assert format_metric(0.5, "%", signed=True) == "+0.50" and format_metric(-0.0004, "r2", signed=True) == "-0.0004"


@pytest.mark.parametrize(("level", "told"), [(0.95, "95 %"), (0.975, "97.5 %"), (1 - 0.05 / 36, "99.9 %")])
def test_a_level_is_a_percentage(level: float, told: str) -> None:
    assert format_level(level) == told
