"""edgekit setup"""

from pathlib import Path

import click

from edgekit.cli.console import echo
from edgekit.cli.options import project_option, runtimes_option


@click.command("setup", short_help="Prepare a target's emulator.")
@click.argument("targets", metavar="ID...", nargs=-1, required=True)
@click.option(
    "--runner", type=click.Choice(("qemu", "container")), default="qemu", help="The runner to prepare. Default: qemu."
)
@runtimes_option("Runtimes of the target. Default: its own.")
@click.option("--base", metavar="IMAGE", help="The base image, a Debian 12. Default: its slim variant.")
@project_option("Its targets/ are known, too. Default: this folder.")
def command(targets: tuple[str, ...], runner: str, runtimes: tuple[str, ...], base: str | None, folder: Path) -> int:
    """Download the emulator of each target to the user's cache directory. Existing parts are kept; root is not needed.

    With --runner container, build a Docker or Podman image instead, on any system that has one of them.
    """
    from edgekit.cli.progress import watcher
    from edgekit.runners.emulator import emulators_bytes, emulators_folder
    from edgekit.runners.preparation import QEMU, prepare_targets
    from edgekit.runtimes.choice import target_runtimes
    from edgekit.target_files import find_target

    if base and runner == QEMU:
        raise click.UsageError("--base is for --runner container")
    named = [find_target(name, (folder / "targets",)) for name in targets]
    chosen = [each.on(runtime) for each in named for runtime in target_runtimes(runtimes, each)]
    for ready in prepare_targets(chosen, runner, watcher(quiet=False), base or ""):
        echo(f"{ready.target}: {ready.what} is ready")
    if runner == QEMU:
        echo(f"{emulators_bytes() / 1e6:.0f} MB in {emulators_folder()}")
    return 0
