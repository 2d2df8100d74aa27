"""A report as a terminal of 80 columns shows it."""

from rich.console import Console


def rendered(*parts: object) -> str:
    console = Console(width=80)
    with console.capture() as captured:
        for part in parts:
            console.print(part)
    return captured.get()
