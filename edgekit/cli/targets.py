"""edgekit targets"""

from pathlib import Path

import click

from edgekit.cli.options import json_option, project_option


@click.group("targets", short_help="List the targets, or show one.", invoke_without_command=True)
@project_option()
@click.pass_context
def command(ctx: click.Context, folder: Path) -> int | None:
    """The devices that edgekit knows; a project adds its own as targets/NAME.toml."""
    ctx.obj = (folder / "targets",)
    return ctx.invoke(list_targets) if ctx.invoked_subcommand is None else None


@command.command("list")
@json_option
@click.pass_obj
def list_targets(folders: tuple[Path, ...], as_json: bool = False) -> int:
    """One line a target, and how its figures can be had here."""
    from edgekit.cli.console import print_tables
    from edgekit.report.targets import targets_json, targets_report
    from edgekit.target import load_target, target_files

    found = [load_target(path) for path in target_files(folders).values()]
    if as_json:
        click.echo(targets_json(found))
    else:
        print_tables(targets_report(found))
    return 0


@command.command("show")
@click.argument("name", metavar="ID")
@json_option
@click.pass_obj
def show(folders: tuple[Path, ...], name: str, as_json: bool) -> int:
    """Everything that is recorded of one target."""
    from edgekit.cli.console import print_tables
    from edgekit.report.targets import target_json, target_report
    from edgekit.target import find_target

    target = find_target(name, folders)
    if as_json:
        click.echo(target_json(target))
    else:
        print_tables(target_report(target))
    return 0
