"""edgekit bench"""

from pathlib import Path

import click

from edgekit.cli.console import echo
from edgekit.cli.options import (
    json_option,
    memory_option,
    numbers_option,
    project_option,
    runners_option,
    runtimes_option,
    seconds_option,
    shape_option,
)


@click.command("bench", short_help="Measure a model: latency, memory, size, parameters, MACs.")
@click.argument("models", nargs=-1, required=True, metavar="MODEL...", type=click.Path(path_type=Path))
@click.option("--target", "-t", metavar="ID", help="A target's id or TOML file. Default: this machine.")
@runners_option
@memory_option
@click.option("--compare", is_flag=True, help="Time several models in turns and report ratios to the first.")
@runtimes_option("Runtimes: all that are available, or names: onnxruntime,openvino.")
@numbers_option("--threads", "Number of threads; a list such as 1,2,4 is run one by one.")
@numbers_option("--batch", "Samples per run; a list such as 1,8 is run one by one.")
@seconds_option
@shape_option
@click.option(
    "--inputs",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Samples (.npz with one array per input, or .npy) instead of random ones.",
)
@project_option("Its targets/ and latency calibrations are used. Default: this folder.")
@click.option("--profile", is_flag=True, help="Report the time and the data type of each kind of operator.")
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print one CSV line per figure instead of tables.")
@click.option(
    "--junit",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the gates to this file as JUnit test cases.",
)
def command(
    models: tuple[Path, ...],
    target: str | None,
    runners: tuple[str, ...],
    memory: int | None,
    compare: bool,
    runtimes: tuple[str, ...],
    threads: tuple[int, ...],
    batch: tuple[int, ...],
    seconds: float,
    shapes: tuple[str, ...],
    inputs: Path | None,
    folder: Path,
    profile: bool,
    as_json: bool,
    as_csv: bool,
    junit: Path | None,
) -> int:
    """Measure MODEL.onnx with random inputs.

    Without a target, on this machine. With a target, on this machine if it is that target; otherwise under the target's
    emulator, which gives exact outputs and memory but no measured latency. On a board with --runner ssh://; on several
    at once if the option is repeated.
    """
    from edgekit.benchmarking.bench import Bench, bench_at_runners
    from edgekit.call_options import BenchOptions
    from edgekit.cli.console import print_tables
    from edgekit.cli.progress import watcher
    from edgekit.cli.shapes import parse_shapes
    from edgekit.files import write_bytes
    from edgekit.report.benches import bench_csv, bench_json, bench_junit, bench_report
    from edgekit.target_files import find_target

    if len(models) > 1 and not compare:
        raise click.UsageError(f"{len(models)} models: add --compare to time them in turns, or name one")
    if as_json and as_csv:
        raise click.UsageError("--json and --csv: choose one")
    if profile and runtimes:
        raise click.UsageError("--profile is of ONNX Runtime's operators: leave --runtimes out")
    options = BenchOptions(
        threads=threads,
        batch=batch,
        seconds=seconds,
        shapes=parse_shapes(shapes),
        inputs=inputs,
        profile=profile,
        runtimes=runtimes,
    )
    chosen = find_target(target, (folder / "targets",)) if target else None
    if memory is not None:
        if chosen is None:
            raise click.UsageError("--memory-profile is of a target: add --target ID")
        chosen = chosen.copy_with(ram_bytes=memory)
    tried = bench_at_runners(runners or ("",), models, chosen, options, watcher(quiet=False))
    found = [each for each in tried if isinstance(each, Bench)]
    failed = [each for each in tried if not isinstance(each, Bench)]
    if junit and found:
        write_bytes(junit, bench_junit(found).encode())
    if as_json and found:
        echo(bench_json(found))
    elif as_csv and found:
        echo(bench_csv(found), nl=False)
    else:
        print_tables(*(part for each in found for part in bench_report(each)))
    for each in failed[1:]:
        echo(f"{each.message}; {each.hint}", err=True)
    if failed:
        raise failed[0]
    return 0 if all(each.passed for each in found) else 1
