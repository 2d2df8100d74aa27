"""edgekit explain"""

from pathlib import Path

import click

from edgekit.cli.console import echo
from edgekit.cli.options import json_option, project_option


@click.command("explain", short_help="Explain a finding: reason, evidence, and an example.")
@click.argument("words", nargs=-1, metavar="[CODE]... | [TECHNIQUE [TECHNIQUE]] | WORD")
@project_option("Default: this folder. Its interactions.toml is read, too.", default=None)
@json_option
def command(words: tuple[str, ...], folder: Path | None, as_json: bool) -> int:
    """Explain a finding's code (EK101), a technique (pruning), two techniques in the order as given and in the other
    one (quantization pruning), or a word of a table (per-tensor).

    `order` is a page on why the order of techniques matters, `glossary` lists every word. Without words, list every
    finding.
    """
    from edgekit.cli.console import print_tables
    from edgekit.planning.explanations import explain
    from edgekit.planning.lint import interactions_of
    from edgekit.project.project import project_at
    from edgekit.report.explanations import answer_json, answer_report, codes_report

    interactions = interactions_of(project_at(folder))
    answer = explain(words, interactions)
    if as_json:
        echo(answer_json(answer))
    elif not words:
        print_tables(codes_report(answer.findings))
    else:
        print_tables(*answer_report(answer, interactions))
    return 0
