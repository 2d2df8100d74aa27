import pytest

from edgekit.cli.console import print_tables


def test_off_a_terminal_a_report_is_eighty_columns_of_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_tables("[bold]a word[/] " * 20)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 1 and all(len(line) <= 80 and "[" not in line for line in lines)
