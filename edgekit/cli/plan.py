"""edgekit plan"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgekit.cli.console import echo
from edgekit.cli.options import project_option, targets_option

if TYPE_CHECKING:
    from edgekit.progress import Progress


@click.command("plan", short_help="Check a recipe before training, and propose a better recipe.")
@targets_option
@click.option("--recipe", metavar="NAME|FILE", help="A recipe's name or TOML file, instead of the project's own.")
@project_option("Default: this folder. Without an edgekit.toml, the model is unknown.", default=None)
@click.option("--inspect", is_flag=True, help="Load and examine the models, and keep the result for later.")
@click.option(
    "--evidence",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Results of edgekit study on this project, used instead of the table.",
)
@click.option("--fix", "form", flag_value="fix", help="Print the better recipe as TOML.")
@click.option("--json", "form", flag_value="json", help="Print one JSON object.")
@click.option("--sarif", "form", flag_value="sarif", help="Print SARIF 2.1.0, for code hosts and editors.")
def command(
    targets: tuple[str, ...],
    recipe: str | None,
    folder: Path | None,
    inspect: bool,
    evidence: Path | None,
    form: str | None,
) -> int:
    """Show the steps of the project's recipe and its findings. Nothing is trained.

    The exit code is 1 if there is an error. With --fix it refers to the better recipe.
    """
    from edgekit.builds.check import check_recipe
    from edgekit.cli.console import print_tables
    from edgekit.project.project import project_at
    from edgekit.report.plans import plan_json, plan_report, proposal_toml
    from edgekit.studies.evidence import measurements_of

    progress = _watcher(quiet=form is not None or not inspect)
    project = project_at(folder)
    measured = measurements_of(project, evidence) if evidence is not None else None
    result = check_recipe(project, progress, recipe, targets, inspect=inspect, measured=measured)
    if form == "fix":
        echo(proposal_toml(result), nl=False)
        return 1 if result.advice.has_errors else 0
    if form == "json":
        echo(plan_json(result))
    elif form == "sarif":
        from edgekit.report.sarif import sarif_log

        echo(sarif_log(result))
    else:
        print_tables(*plan_report(result))
    return 1 if result.has_errors else 0


def _watcher(*, quiet: bool) -> "Progress":
    """A progress display only where models are inspected, which takes time."""
    if quiet:
        from edgekit.progress import Silent

        return Silent()
    from edgekit.cli.progress import watcher

    return watcher(quiet=False)
