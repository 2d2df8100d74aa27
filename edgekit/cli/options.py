"""Options that several commands have."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Decorator = Callable[[Any], Any]

json_option: Decorator = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object instead of tables."
)

shape_option: Decorator = click.option(
    "--shape",
    "shapes",
    multiple=True,
    metavar="NAME=N",
    help="The length of a dynamic axis other than the batch, or an input's whole shape: image=1,3,48,320.",
)

targets_option: Decorator = click.option(
    "--target",
    "-t",
    "targets",
    multiple=True,
    metavar="ID",
    help="A target's id or TOML file; may be given several times.",
)


def project_option(more: str = "Default: this one.", *, default: Path | None = Path()) -> Decorator:
    """-C; a command that does without a project has None as its default, and says in `more` what then holds."""
    found: Decorator = click.option(
        "--project",
        "-C",
        "folder",
        type=click.Path(path_type=Path),
        default=default,
        help=f"The folder of edgekit.toml. {more}",
    )
    return found
