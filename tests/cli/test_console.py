import pytest

from edgekit.cli.console import print_tables
from edgekit.report.tables import table


def test_off_a_terminal_a_report_is_eighty_columns_of_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_tables("[bold]a word[/] " * 20)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 1 and all(len(line) <= 80 and "[" not in line for line in lines)


def test_figures_are_not_broken_where_lines_are_short(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    rows = table("", "name", "bytes", "more", numeric=frozenset({1, 2}))
    rows.add_row("a name of many words", "5,331,632,000 B", "1,234,567.89 ms")
    print_tables(rows)
    value = capsys.readouterr().out
    assert "5,331,632,000 B" in value and "1,234,567.89 ms" in value
