from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from edgekit.cli.options import json_option, project_option, targets_option


@pytest.mark.parametrize(("default", "folder"), [(Path(), "."), (None, "None")])
def test_options_are_named_alike_in_every_command(default: Path | None, folder: str) -> None:
    @click.command()
    @targets_option
    @project_option(default=default)
    @json_option
    def command(targets: tuple[str, ...], folder: Path | None, as_json: bool) -> None:
        click.echo(f"{targets} {folder} {as_json}")

    assert CliRunner().invoke(command, []).output == f"() {folder} False\n"
    value = CliRunner().invoke(command, ["-t", "rpi4", "--target", "rpi5", "-C", "there", "--json"]).output
    assert value == "('rpi4', 'rpi5') there True\n"
