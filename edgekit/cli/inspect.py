"""edgekit inspect"""

from pathlib import Path

import click

from edgekit.cli.console import echo
from edgekit.cli.options import json_option, shape_option


@click.command("inspect", short_help="Show the contents of a model file.")
@click.argument("model", type=click.Path(path_type=Path))
@shape_option
@json_option
def command(model: Path, shapes: tuple[str, ...], as_json: bool) -> int:
    """Show inputs, outputs, operators, types, parameters and MACs of MODEL (.onnx, .tflite), and what of it is
    quantized."""
    from edgekit.cli.console import print_tables
    from edgekit.cli.shapes import parse_shapes
    from edgekit.formats import inspect_file
    from edgekit.report.inspections import inspection_json, inspection_report

    found = inspect_file(model, parse_shapes(shapes))
    if as_json:
        echo(inspection_json(model, found))
    else:
        print_tables(*inspection_report(model, found))
    return 0
