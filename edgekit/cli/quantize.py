"""edgekit quantize"""

import tomllib
from pathlib import Path
from typing import Any, get_args

import click

from edgekit.call_options import QuantizeOptions, Ranges
from edgekit.cli.console import echo
from edgekit.cli.options import (
    RenamedChoice,
    calibration_option,
    json_option,
    output_option,
    preprocessing_options,
    samples_option,
)
from edgekit.deprecation import FORMER_RANGES


@click.command("quantize", short_help="Quantize an ONNX file to INT8 with a target's scheme.")
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--target", "-t", metavar="ID", required=True, help="The target whose scheme is used: an id or a TOML file."
)
@calibration_option
@output_option("quantized")
@samples_option
@click.option(
    "--ranges",
    type=RenamedChoice(get_args(Ranges), FORMER_RANGES),
    default="auto",
    show_default=True,
    help="Activation ranges: fixed by calibration, or dynamic, computed by each run. auto: dynamic for transformers.",
)
@click.option(
    "--backend",
    type=click.Choice(["ort", "inc", "best"]),
    help="ONNX Runtime's quantizer, Intel Neural Compressor's, or the better of both.",
)
@click.option(
    "--set", "options", multiple=True, metavar="NAME=VALUE", help="An option of the step: calibration=entropy."
)
@preprocessing_options
@json_option
@click.option("--quiet", "-q", is_flag=True, help="Print the report only, without progress.")
def command(
    model: Path,
    target: str,
    calibration: str | None,
    output: Path | None,
    samples: int | None,
    ranges: Ranges,
    backend: str | None,
    options: tuple[str, ...],
    as_json: bool,
    quiet: bool,
    **preprocessing: Any,
) -> int:
    """Quantize MODEL.onnx to 8-bit weights and activations.

    It runs the step `quantize` of a build, in QDQ form. Operators that lose too much stay float, and the report lists
    them. For a transformer it runs `quantize-dynamic`.
    """
    from edgekit.api import quantize
    from edgekit.cli.console import print_tables
    from edgekit.cli.progress import watcher
    from edgekit.report.conversions import conversion_json, conversion_report

    if calibration is None:
        raise click.UsageError("name calibration samples: --calibration FOLDER")
    found = quantize(
        model,
        calibration,
        target=target,
        output=output,
        options=QuantizeOptions(
            ranges=ranges,
            calibration_samples=samples,
            preprocessing={name: value for name, value in preprocessing.items() if value is not None},
            step={**({"backend": backend} if backend else {}), **_parse_options(options)},
        ),
        progress=watcher(quiet=quiet or as_json),
    )
    if as_json:
        echo(conversion_json(found))
    else:
        print_tables(*conversion_report(found))
    return 0


def _value(text: str) -> Any:
    """The text as a TOML number or boolean, or unchanged."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _parse_options(options: tuple[str, ...]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for each in options:
        name, equals, value = each.partition("=")
        if not equals:
            raise click.UsageError(f"--set {each}: give NAME=VALUE")
        values[name] = _value(value)
    return values
