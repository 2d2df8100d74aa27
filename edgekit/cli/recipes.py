"""edgekit recipes"""

import click

from edgekit.cli.console import echo
from edgekit.cli.options import json_option


@click.group("recipes", short_help="List the recipes, or show one with its options.", invoke_without_command=True)
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> int | None:
    """Named sequences of steps: set recipe = "NAME" in edgekit.toml, and override options in [options.STEP]."""
    if ctx.invoked_subcommand is None:
        return int(ctx.invoke(list_recipes, as_json=as_json))
    if as_json:
        raise click.UsageError(f"write --json after {ctx.invoked_subcommand}", ctx)
    return None


@command.command("list")
@json_option
def list_recipes(as_json: bool = False) -> int:
    """List the recipes, with the findings that hold for any model and target."""
    from edgekit.cli.console import print_tables
    from edgekit.planning.lint import lint_shipped_recipes
    from edgekit.report.recipes import recipes_json, recipes_report

    judged = lint_shipped_recipes()
    if as_json:
        echo(recipes_json(judged))
    else:
        print_tables(recipes_report(judged))
    return 0


@command.command("show")
@click.argument("name", metavar="NAME|FILE")
@json_option
def show(name: str, as_json: bool) -> int:
    """Show every step of a recipe with its options, their allowed values and meanings."""
    from pathlib import Path

    from edgekit.cli.console import print_tables
    from edgekit.planning.lint import lint_alone
    from edgekit.planning.recipe import find_recipe
    from edgekit.report.recipes import recipe_json, recipe_report

    judged = lint_alone(find_recipe(name, Path()))
    if as_json:
        echo(recipe_json(judged))
    else:
        print_tables(*recipe_report(judged))
    return 0
