"""edgekit build"""

from pathlib import Path

import click

from edgekit.cli.options import json_option, project_option, targets_option


@click.command("build", short_help="Distil, prune, quantize, fuse, verify and pack for one or more targets.")
@targets_option
@project_option()
@click.option(
    "--allow", "allowed", multiple=True, metavar="CODE", help="Build although this finding is an error: EK101."
)
@click.option("--strict", is_flag=True, help="A gate that could not run fails the build too.")
@json_option
@click.option("--quiet", "-q", is_flag=True, help="No progress; the report only.")
def command(
    targets: tuple[str, ...], folder: Path, allowed: tuple[str, ...], strict: bool, as_json: bool, quiet: bool
) -> int:
    """Build the project in this folder for its targets and leave dist/TARGET/ for each."""
    from edgekit.build import build, chosen_targets
    from edgekit.cli.console import print_tables
    from edgekit.cli.progress import watcher
    from edgekit.project.project import load_project
    from edgekit.report.builds import build_json, build_report

    project = load_project(folder)
    built = build(project, chosen_targets(project, targets), watcher(quiet=quiet or as_json), allowed)
    if as_json:
        click.echo(build_json(built))
    else:
        print_tables(*build_report(built))
    return 0 if built.passes(strict=strict) else 1
