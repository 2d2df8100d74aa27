"""edgekit simplify"""

from pathlib import Path
from typing import Any

import click

from edgekit.cli.console import echo
from edgekit.cli.options import calibration_option, json_option, output_option, preprocessing_options


@click.command("simplify", short_help="Write the smallest equivalent graph of an ONNX file.")
@click.argument("model", type=click.Path(path_type=Path))
@output_option("simplified")
@calibration_option
@preprocessing_options
@json_option
@click.option("--quiet", "-q", is_flag=True, help="Print the report only, without progress.")
def command(
    model: Path, output: Path | None, calibration: str | None, as_json: bool, quiet: bool, **preprocessing: Any
) -> int:
    """Write the smallest equivalent graph that is found for MODEL.onnx.

    It runs the step `simplify` of a build. Both files are compared on the samples, or on random inputs if none are
    named.
    """
    from edgekit.api import simplify
    from edgekit.cli.console import print_tables
    from edgekit.cli.progress import watcher
    from edgekit.report.conversions import conversion_json, conversion_report

    values = {name: value for name, value in preprocessing.items() if value is not None}
    found = simplify(model, calibration, output=output, preprocessing=values, progress=watcher(quiet=quiet or as_json))
    if as_json:
        echo(conversion_json(found))
    else:
        print_tables(*conversion_report(found))
    return 0
