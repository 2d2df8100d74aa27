"""edgekit bench"""

from pathlib import Path

import click

from edgekit.cli.options import json_option, shape_option


@click.command("bench", short_help="What a model costs: latency, memory, size, parameters, MACs.")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--target", "-t", metavar="ID", help="A target's id or TOML file; this machine without it.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
@click.option("--seconds", type=click.FloatRange(0.05, 3600), default=2.0, show_default=True, help="Of timing.")
@shape_option
@json_option
def command(
    model: Path, target: str | None, threads: int, seconds: float, shapes: tuple[str, ...], as_json: bool
) -> int:
    """Measure MODEL.onnx with made-up inputs, batch 1.

    Without a target, on this machine. With one: on this machine where it is that target, else under the target's
    emulator, which gives exact outputs and memory but no latency.
    """
    from edgekit.cli.console import print_tables
    from edgekit.cli.shapes import parsed_shapes
    from edgekit.measuring.measure import benched
    from edgekit.report.benches import bench_json, bench_report
    from edgekit.target import find_target

    found = benched(model, find_target(target) if target else None, threads, seconds, parsed_shapes(shapes))
    if as_json:
        click.echo(bench_json(found))
    else:
        print_tables(*bench_report(found))
    return 0 if found.passed else 1
