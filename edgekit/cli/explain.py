"""edgekit explain"""

from pathlib import Path

import click

from edgekit.cli.options import json_option, project_option


@click.command("explain", short_help="Explain a finding: reason, evidence, and an example.")
@click.argument("words", nargs=-1, metavar="[CODE]... | [TECHNIQUE [TECHNIQUE]]")
@project_option("Default: this folder. Its interactions.toml is read, too.", default=None)
@json_option
def command(words: tuple[str, ...], folder: Path | None, as_json: bool) -> int:
    """Explain a finding's code (EK101), a technique (pruning), or two techniques in either order (quantization
    pruning). Without words, list every finding."""
    from edgekit.cli.console import print_tables
    from edgekit.planning.explanations import explain
    from edgekit.planning.lint import interactions_of
    from edgekit.project.project import project_at
    from edgekit.report.explanations import codes_report, explanations_json, explanations_report

    result = explain(words, interactions_of(project_at(folder)))
    if as_json:
        click.echo(explanations_json(result))
    elif not words:
        print_tables(codes_report(result))
    elif result:
        print_tables(*explanations_report(result))
    else:
        click.echo(f"the table says nothing of {' and '.join(words)}")
    return 0
