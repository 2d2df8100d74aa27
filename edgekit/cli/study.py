"""edgekit study"""

import json
from pathlib import Path

import click

from edgekit.cli.console import echo
from edgekit.cli.options import json_option, project_option


@click.command("study", short_help="Measure the order of techniques, and the effect of each, on your own model.")
@click.option(
    "--pair",
    "pairs",
    multiple=True,
    metavar="A,B",
    help="Compare two steps in both orders, with and without fine-tuning.",
)
@click.option("--recipe", metavar="NAME|FILE", help="A recipe's name or TOML file, instead of the project's own.")
@click.option("--orders", is_flag=True, help="Compare all possible orders of the recipe's techniques.")
@click.option("--ablate", is_flag=True, help="Compare the recipe with the recipe without each technique.")
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    metavar="N",
    help="Number of seeds, counted from 0.",
)
@click.option(
    "--budget",
    type=click.FloatRange(0, min_open=True),
    metavar="MINUTES",
    help="Stop after this time; run again to continue.",
)
@click.option("--target", "-t", metavar="ID", help="Default: the project's first target.")
@project_option()
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Results, and beside them the plot as .png and .svg. Default: study.json in the project.",
)
@json_option
@click.option("--schema", is_flag=True, help="Print the JSON schema of the results, and do nothing else.")
@click.option("--quiet", "-q", is_flag=True, help="Print the report only, without progress.")
def command(
    pairs: tuple[str, ...],
    recipe: str | None,
    orders: bool,
    ablate: bool,
    seeds: int,
    budget: float | None,
    target: str | None,
    folder: Path,
    output: Path | None,
    as_json: bool,
    schema: bool,
    quiet: bool,
) -> int:
    """Run recipes on the project in this folder with several seeds, and compare them: means with their intervals, never
    a bare difference. Finished runs come from the cache, and an interrupted study resumes.

    A pair is two steps after the recipe's training, with options where they need any: --pair "quantize-weights bits=4
    granularity=tensor, sparsify sparsity=0.7".
    """
    from edgekit.api import study
    from edgekit.call_options import StudyOptions
    from edgekit.cli.console import print_tables
    from edgekit.cli.progress import watcher
    from edgekit.report.plots import no_plot
    from edgekit.report.studies import study_report
    from edgekit.studies.results import study_json, study_schema

    if schema:
        echo(json.dumps(study_schema(), indent=2))
        return 0
    path = output or folder / "study.json"
    found = study(
        folder,
        pairs=pairs,
        options=StudyOptions(recipe=recipe, orders=orders, ablate=ablate, seeds=seeds, budget_min=budget),
        target=target,
        output=path,
        progress=watcher(quiet=quiet or as_json),
    )
    if (quiet or as_json) and no_plot():
        echo(no_plot(), err=True)
    if as_json:
        echo(study_json(found), nl=False)
    else:
        print_tables(*study_report(found), f"written: {path}")
    return 0
