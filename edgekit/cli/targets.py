"""edgekit targets"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgekit.cli.console import echo
from edgekit.cli.options import json_option, project_option

if TYPE_CHECKING:
    from edgekit.errors import TargetError


@click.group("targets", short_help="List the targets, or show one.", invoke_without_command=True)
@project_option()
@click.pass_context
def command(ctx: click.Context, folder: Path) -> int | None:
    """List the devices that edgekit knows. A project adds its own as targets/NAME.toml; base = "ID" takes what a
    similar device has."""
    ctx.obj = (folder / "targets",)
    return ctx.invoke(list_targets) if ctx.invoked_subcommand is None else None


@command.command("list")
@json_option
@click.pass_obj
def list_targets(folders: tuple[Path, ...], as_json: bool = False) -> int:
    """List the targets, and how each can be measured on this machine."""
    from edgekit.cli.console import print_tables
    from edgekit.report.targets import targets_json, targets_report
    from edgekit.target_files import load_targets

    found, errors = load_targets(folders)
    if as_json:
        echo(targets_json(found, errors))
    else:
        print_tables(targets_report(found))
    _warn_of(errors)
    return 0


@command.command("check")
@click.argument("board", metavar="ssh://USER@HOST:PORT")
@click.option("--write", "written", metavar="ID", help="Write a target for it to the project, as targets/ID.toml.")
@json_option
@click.pass_obj
def check(folders: tuple[Path, ...], board: str, written: str | None, as_json: bool) -> int:
    """Show what a board is, which target it matches, and whether measurements would be disturbed now."""
    from edgekit.cli.console import print_tables
    from edgekit.errors import TargetError
    from edgekit.files import write_bytes
    from edgekit.report.boards import board_json, board_report
    from edgekit.runners.address import address_of
    from edgekit.runners.board import board_at
    from edgekit.runners.derived import derive_target, matching_targets
    from edgekit.target_files import load_targets, target_toml

    known, errors = load_targets(folders)
    _warn_of(errors)
    place = folders[0] / f"{written}.toml"
    if written and (not re.fullmatch(r"[a-z0-9][a-z0-9_.-]*", written) or place.exists()):
        what = f"{place} is there already" if place.exists() else f"'{written}' is no id"
        raise TargetError(what, "choose another: small letters, digits and dashes, such as my-board")
    found = board_at(address_of(board))
    matching = matching_targets(found, known)
    if written:
        source = f"What {found.address} said of itself; scheme and runtime are edgekit's for such kernels."
        write_bytes(place, target_toml(derive_target(found, written, known), source).encode())
    if as_json:
        echo(board_json(found, matching))
    else:
        print_tables(*board_report(found, matching))
        echo(f"written: {place}" if written else f"as a target file: edgekit targets check {board} --write ID")
    return 0


@command.command("show")
@click.argument("name", metavar="ID")
@click.option("--toml", "as_toml", is_flag=True, help="Print a target file with every value.")
@json_option
@click.pass_obj
def show(folders: tuple[Path, ...], name: str, as_json: bool, as_toml: bool) -> int:
    """Show everything that is recorded of one target."""
    from edgekit.cli.console import print_tables
    from edgekit.report.targets import target_json, target_report
    from edgekit.target_files import find_target, target_toml

    if as_json and as_toml:
        raise click.UsageError("--json and --toml are two forms: choose one")
    target = find_target(name, folders)
    if as_json:
        echo(target_json(target))
    elif as_toml:
        source = f'Every value of {target.id}. For a similar device, base = "{target.id}" and what differs is enough.'
        echo(target_toml(target, source), nl=False)
    else:
        print_tables(target_report(target))
    return 0


def _warn_of(errors: "Sequence[TargetError]") -> None:
    """Report target files that are wrong, which does not stop a command on the others."""
    for each in errors:
        echo(f"warning: {each.message}; {each.hint}", err=True)
