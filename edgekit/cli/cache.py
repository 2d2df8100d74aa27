"""edgekit cache"""

from pathlib import Path

import click

from edgekit.cli.console import echo
from edgekit.cli.options import project_option


@click.group("cache", short_help="Show the size of the project's cache, or prune it.", invoke_without_command=True)
@project_option()
@click.pass_context
def command(ctx: click.Context, folder: Path) -> int | None:
    """Manage the .edgekit/cache of a project, or of model files that were built in the folder, and show the size of the
    emulators."""
    ctx.obj = folder
    return ctx.invoke(size) if ctx.invoked_subcommand is None else None


@command.command("size")
@click.pass_obj
def size(folder: Path) -> int:
    """Show how much is stored."""
    from edgekit.cache import Cache
    from edgekit.runners.emulator import emulators_bytes, emulators_folder

    store = Cache(_cache_folder(folder))
    used = store.usage()
    echo(f"steps: {used.entries} entries, {used.bytes / 1e6:.1f} MB in {store.folder}")
    echo(f"unfinished: {used.unfinished_bytes / 1e6:.1f} MB")
    echo(f"emulators: {emulators_bytes() / 1e6:.1f} MB in {emulators_folder()}")
    return 0


@command.command("prune")
@click.option("--days", type=click.FloatRange(0), default=0.0, show_default=True, help="Keep entries that are younger.")
@click.pass_obj
def prune(folder: Path, days: float) -> int:
    """Remove entries and unfinished work, except for what a running build uses."""
    from edgekit.cache import Cache
    from edgekit.wording import count_of

    pruned = Cache(_cache_folder(folder)).prune(days)
    left = f"; left {count_of(pruned.in_use, 'folder')} in use or of another user" if pruned.in_use else ""
    echo(f"freed {pruned.bytes / 1e6:.1f} MB{left}")
    return 0


def _cache_folder(folder: Path) -> Path:
    """The cache of a project, or of the builds of a model file in this folder, which have no edgekit.toml."""
    from edgekit.project.project import CACHE, load_project

    return folder / CACHE if (folder / CACHE).is_dir() else load_project(folder).cache_folder
