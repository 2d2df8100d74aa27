"""edgekit init"""

from pathlib import Path

import click

from edgekit.cli.console import echo


@click.command("init", short_help="Make a new project, ready to build.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def command(folder: Path) -> int:
    """Create a project in DIR: a teacher, a student, the digits dataset of scikit-learn, and an edgekit.toml whose
    comments explain each key."""
    from edgekit.project.template import new_project

    for path in new_project(folder):
        echo(f"wrote {path}")
    echo(f"next: cd {folder} && edgekit build --target rpi4")
    return 0
