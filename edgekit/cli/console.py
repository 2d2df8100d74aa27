"""Where reports go."""


def print_tables(*tables: object) -> None:
    """Print rich renderables to standard output, 80 columns wide where it is no terminal."""
    from rich.console import Console

    console = Console(highlight=False, emoji=False)
    for table in tables:
        console.print(table)
