"""edgekit setup"""

import click


@click.command("setup", short_help="Prepare a target's emulator.")
@click.argument("targets", metavar="ID...", nargs=-1, required=True)
def command(targets: tuple[str, ...]) -> int:
    """Download what emulates each target, below the user's cache directory. Nothing is done twice; no root."""
    from edgekit.cli.progress import watcher
    from edgekit.runners.emulator import emulators_bytes, emulators_folder, prepare
    from edgekit.target import find_target

    for target in [find_target(name) for name in targets]:
        emulator = prepare(target, watcher(quiet=False))
        click.echo(f"{target.id}: {emulator.version} -cpu {target.cpu.split(',')[0]} is ready")
    click.echo(f"{emulators_bytes() / 1e6:.0f} MB in {emulators_folder()}")
    return 0
