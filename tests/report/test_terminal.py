from rich.table import Table

from edgekit.report.terminal import ReportConsole


def test_control_characters_are_replaced_and_styles_are_kept() -> None:
    console = ReportConsole(width=40, force_terminal=True, color_system="standard")
    table = Table("name")
    table.add_row("[red]a\x1b[2Jb[/]")
    with console.capture() as shown:
        console.print(table)
        console.print("[bold]x\x07[/]")
    assert "\x1b[2J" not in shown.get() and "\x1b[31ma\ufffd[2Jb" in shown.get() and "\x1b[1mx" in shown.get()
