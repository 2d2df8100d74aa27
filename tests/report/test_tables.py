import pytest
from rich.console import Console

from edgekit.report.tables import table, with_unit


@pytest.mark.parametrize(
    ("value", "unit", "told"),
    [
        (5514, "bytes", "5,514 B"),
        (62_900_000, "bytes", "62.9 MB"),
        (0.01833, "ms", "0.0183 ms"),
        (12345.6, "ms", "12,346 ms"),
        (903328, "count", "903,328"),
        (98.0, "%", "98.00 %"),
        (0.98765, "f1", "0.9877 f1"),
    ],
)
def test_a_figure_is_told_with_its_unit(value: float, unit: str, told: str) -> None:
    assert with_unit(value, unit) == told


def test_a_table_fits_eighty_columns() -> None:
    rows = table("title", "one", "two")
    rows.add_row("x" * 200, "y")
    console = Console(width=80, record=True, file=None)
    with console.capture() as captured:
        console.print(rows)
    assert max(len(line) for line in captured.get().splitlines()) <= 80
