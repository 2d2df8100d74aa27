"""edgekit cache"""

from pathlib import Path

import click

from edgekit.cli.options import project_option


@click.group("cache", short_help="Show the size of the project's cache, or prune it.", invoke_without_command=True)
@project_option()
@click.pass_context
def command(ctx: click.Context, folder: Path) -> int | None:
    """Manage this project's .edgekit/cache, and show the size of the emulators."""
    ctx.obj = folder
    return ctx.invoke(size) if ctx.invoked_subcommand is None else None


@command.command("size")
@click.pass_obj
def size(folder: Path) -> int:
    """Show how much is stored."""
    from edgekit.cache import Cache
    from edgekit.project.project import load_project
    from edgekit.runners.emulator import emulators_bytes, emulators_folder

    store = Cache(load_project(folder).cache_folder)
    used = store.usage()
    click.echo(f"steps: {used.entries} entries, {used.bytes / 1e6:.1f} MB in {store.folder}")
    click.echo(f"unfinished: {used.unfinished_bytes / 1e6:.1f} MB")
    click.echo(f"emulators: {emulators_bytes() / 1e6:.1f} MB in {emulators_folder()}")
    return 0


@command.command("prune")
@click.option("--days", type=click.FloatRange(0), default=0.0, show_default=True, help="Keep entries that are younger.")
@click.pass_obj
def prune(folder: Path, days: float) -> int:
    """Remove entries and unfinished work, except for those of a running build."""
    from edgekit.cache import Cache
    from edgekit.project.project import load_project

    freed = Cache(load_project(folder).cache_folder).prune(days)
    click.echo(f"freed {freed / 1e6:.1f} MB")
    return 0
