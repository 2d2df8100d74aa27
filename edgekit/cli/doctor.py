"""edgekit doctor"""

import click

from edgekit.cli.console import echo
from edgekit.cli.options import json_option


@click.command("doctor", short_help="List what is installed, what is missing, and how to install it.")
@json_option
def command(as_json: bool) -> int:
    """Check packages and emulators. For each missing one, show what it is for and how to install it."""
    from edgekit.cli.console import print_tables
    from edgekit.report.checkups import checkups_json, checkups_report
    from edgekit.runners.doctor import checkups

    found = checkups()
    if as_json:
        echo(checkups_json(found))
    else:
        print_tables(checkups_report(found))
    return 0
