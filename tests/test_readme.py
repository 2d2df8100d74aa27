"""Output that README.md shows is what the commands print."""

import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
Run = Callable[..., subprocess.CompletedProcess[str]]


def shown(command: str) -> str:
    """The indented block that begins with a command, without the indentation."""
    lines = README.read_text().splitlines()
    start = lines.index(f"    $ {command}")
    block = []
    for line in lines[start + 1 :]:
        if line and not line.startswith("    "):
            break
        block.append(line.removeprefix("    "))
    return "\n".join(block).strip("\n")


COMMANDS = re.findall(r"^    \$ edgekit ((?:plan|explain) .*)$", README.read_text(), re.MULTILINE)


@pytest.mark.parametrize("arguments", COMMANDS)
def test_a_plan_or_an_explanation_is_the_real_output(
    arguments: str, run_edgekit: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    output = run_edgekit(*shlex.split(arguments), cwd=tmp_path).stdout
    assert "\n".join(line.rstrip() for line in output.splitlines()).strip("\n") == shown(f"edgekit {arguments}")


def test_there_is_a_plan_in_the_readme() -> None:
    assert any(each.startswith("plan ") for each in COMMANDS)
