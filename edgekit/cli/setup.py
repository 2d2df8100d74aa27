"""edgekit setup"""

from pathlib import Path

import click

from edgekit.cli.console import echo
from edgekit.cli.options import project_option, runtimes_option

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FOLDER_TO_WRITE = click.Path(file_okay=False, path_type=Path)


@click.command("setup", short_help="Prepare a target's emulator.")
@click.argument("targets", metavar="ID...", nargs=-1, required=True)
@click.option(
    "--runner", type=click.Choice(("qemu", "container")), default="qemu", help="The runner to prepare. Default: qemu."
)
@runtimes_option("Runtimes of the target. Default: its own.")
@click.option("--base", metavar="IMAGE", help="The base image, a Debian 12. Default: its slim variant.")
@click.option(
    "--from", "source", type=FOLDER, metavar="FOLDER", help="Set up from files that --download left, without a network."
)
@click.option("--download", type=FOLDER_TO_WRITE, metavar="FOLDER", help="Only download the files there.")
@click.option(
    "--unpinned",
    is_flag=True,
    help="Also fetch what edgekit's lock does not pin, or the mirror no longer has, and record its digests.",
)
@project_option("Its targets/ are known, too. Default: this folder.")
def command(
    targets: tuple[str, ...],
    runner: str,
    runtimes: tuple[str, ...],
    base: str | None,
    source: Path | None,
    download: Path | None,
    unpinned: bool,
    folder: Path,
) -> int:
    """Download the emulator of each target to the user's cache directory. Existing parts are kept; root is not needed.
    Every file must have the SHA-256 that edgekit's lock pins.

    With --runner container, build a Docker or Podman image instead, on any system that has one of them.
    """
    from edgekit.cli.progress import watcher
    from edgekit.fetching.source import usual_source
    from edgekit.files import folder_bytes
    from edgekit.runners.emulator import download_emulator, emulators_bytes, emulators_folder
    from edgekit.runners.preparation import QEMU, prepare_targets
    from edgekit.runtimes.choice import target_runtimes
    from edgekit.target_files import find_target

    if base and runner == QEMU:
        raise click.UsageError("--base is for --runner container")
    if runner != QEMU and (source or download):
        raise click.UsageError("--from and --download are for --runner qemu")
    named = [find_target(name, (folder / "targets",)) for name in targets]
    chosen = [each.on(runtime) for each in named for runtime in target_runtimes(runtimes, each)]
    progress = watcher(quiet=False)
    given = usual_source(source, unpinned=unpinned)
    if download:
        for each in chosen:
            download_emulator(each, download, progress, given)
        echo(f"{folder_bytes(download) / 1e6:.0f} MB in {download}: edgekit setup ID --from {download}")
        return 0
    for ready in prepare_targets(chosen, runner, progress, base or "", given):
        echo(f"{ready.target}: {ready.what} is ready")
    if runner == QEMU:
        echo(f"{emulators_bytes() / 1e6:.0f} MB in {emulators_folder()}")
    return 0
