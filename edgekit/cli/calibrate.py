"""edgekit calibrate"""

from pathlib import Path

import click

from edgekit.cli.console import echo
from edgekit.cli.options import json_option, numbers_option, project_option, seconds_option


@click.command("calibrate", short_help="Calibrate latency prediction with measurements on your board.")
@click.argument("target", metavar="ID")
@click.argument("models", nargs=-1, metavar="[MODEL]...", type=click.Path(path_type=Path))
@click.option(
    "--runner",
    metavar="NAME",
    default="",
    help="The board: ssh://USER@HOST:PORT. Default: this machine, where it is the target.",
)
@click.option("--runtime", metavar="NAME", help="A runtime that the target lists. Default: the target's own.")
@numbers_option("--threads", "Number of threads; a list such as 1,4 is run one by one.")
@seconds_option
@project_option("The file is written to its targets/. Default: this folder.")
@json_option
def command(
    target: str,
    models: tuple[Path, ...],
    runner: str,
    runtime: str | None,
    threads: tuple[int, ...],
    seconds: float,
    folder: Path,
    as_json: bool,
) -> int:
    """Time models on a board (--runner ssh://USER@HOST), count them under the target's emulator, and fit the prices by
    which edgekit predicts the target's latency. Without models it uses networks of its own, float and INT8. Earlier
    measurements are kept; nine models give an interval, twelve may give the board prices of its own."""
    from edgekit.api import calibrate
    from edgekit.call_options import CalibrateOptions
    from edgekit.cli.console import print_tables
    from edgekit.cli.progress import watcher
    from edgekit.report.calibrations import calibration_json, calibration_report

    done = calibrate(
        target,
        models,
        runner=runner,
        options=CalibrateOptions(runtime=runtime or "", threads=threads, seconds=seconds),
        folder=folder,
        progress=watcher(quiet=False),
    )
    if as_json:
        echo(calibration_json(done))
    else:
        print_tables(*calibration_report(done))
    return 0
