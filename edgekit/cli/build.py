"""edgekit build"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli.console import echo
from edgekit.cli.options import (
    calibration_option,
    json_option,
    memory_option,
    preprocessing_options,
    project_option,
    runner_option,
    samples_option,
    several,
    targets_option,
)
from edgekit.deprecation import FORMER_BUILD_OPTIONS, current_name

if TYPE_CHECKING:
    from edgekit.project.project import Project

_file_options = several(
    calibration_option,
    click.option(
        "--evaluation", metavar="PATH", help="Evaluation samples. Default: one fifth of the samples is held out."
    ),
    click.option("--labels", metavar="CSV", help="CSV file of path,label. Default: each file's folder is its label."),
    click.option("--metric", metavar="NAME", help="accuracy, top5, macro-f1, mean-iou, cosine, agreement or your own."),
    click.option("--recipe", metavar="NAME", help="A shipped recipe or a TOML file that starts from an ONNX file."),
    samples_option,
    click.option(
        "--write-project",
        "written",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Write an edgekit.toml to this folder, and build there.",
    ),
    preprocessing_options,
)


def _current_option(name: str) -> str:
    former = {name: current.replace("_", "-") for name, current in FORMER_BUILD_OPTIONS.items()}
    return current_name(name, former, "edgekit build, option")


@click.command(
    "build",
    short_help="Compress, verify and pack a project or an ONNX file for one or more targets.",
    context_settings={"token_normalize_func": _current_option},
)
@click.argument("model", type=click.Path(path_type=Path), required=False)
@targets_option
@project_option("Default: this folder, or the folder of MODEL. The cache and dist/ are written there.", default=None)
@click.option("--allow", "allowed", multiple=True, metavar="CODE", help="Allow this error finding and build: EK101.")
@click.option(
    "--float-operators",
    type=click.Path(path_type=Path),
    metavar="MANIFEST",
    help="Keep the float operators of an earlier build's manifest.json; do not time them again.",
)
@click.option(
    "--runtime",
    default="",
    metavar="NAME|best",
    help="A runtime of the target; best: the fastest within the budgets. Default: the target's own.",
)
@runner_option
@memory_option
@click.option("--again", is_flag=True, help="Time again what earlier builds timed; take the rest from the cache.")
@click.option(
    "--strict", is_flag=True, help="Also fail if a gate could not run, or if a float model replaces a slower INT8 one."
)
@json_option
@click.option("--quiet", "-q", is_flag=True, help="Print the report only, without progress.")
@_file_options
def command(
    model: Path | None,
    targets: tuple[str, ...],
    folder: Path | None,
    allowed: tuple[str, ...],
    float_operators: Path | None,
    runtime: str,
    runner: str,
    memory: int | None,
    again: bool,
    strict: bool,
    as_json: bool,
    quiet: bool,
    written: Path | None,
    **options: Any,
) -> int:
    """Build the project in this folder, or MODEL.onnx, for its targets, and write dist/TARGET/ for each.

    With MODEL.onnx, name samples with --calibration. The options below apply to it; a project sets them in
    edgekit.toml.
    """
    from edgekit.builds.build import build, chosen_targets
    from edgekit.call_options import BuildOptions
    from edgekit.cli.console import print_tables
    from edgekit.cli.progress import watcher
    from edgekit.project.from_file import write_project
    from edgekit.project.project import load_project
    from edgekit.report.builds import build_json, build_report

    given = {name: value for name, value in options.items() if value is not None}
    if model is None and (given or written):
        name = next(iter(given), "write_project").replace("_", "-")
        raise click.UsageError(f"--{name} is for a model file: edgekit build MODEL.onnx, or set it in edgekit.toml")
    project = load_project(folder or Path()) if model is None else _of_file(model, folder, given)
    chosen = chosen_targets(project, targets)
    if memory is not None:
        chosen = [each.copy_with(ram_bytes=memory) for each in chosen]
    if written is not None:
        project = write_project(project, written, [target.id for target in chosen])
    asked = BuildOptions(allowed=allowed, float_operators=float_operators, runner=runner, runtime=runtime, again=again)
    built = build(project, chosen, watcher(quiet=quiet or as_json), asked)
    if as_json:
        echo(build_json(built))
    else:
        print_tables(*build_report(built))
    return 0 if built.passes(strict=strict) else 1


def _of_file(model: Path, folder: Path | None, values: dict[str, Any]) -> "Project":
    from edgekit.project.from_file import file_project

    if "calibration" not in values:
        raise click.UsageError("name calibration samples: --calibration FOLDER")
    about = ("evaluation", "labels", "metric", "recipe")
    return file_project(
        model,
        values["calibration"],
        folder=folder,
        calibration_samples=values.get("samples"),
        preprocessing={name: value for name, value in values.items() if name not in (*about, "calibration", "samples")},
        **{name: values[name] for name in about if name in values},
    )
