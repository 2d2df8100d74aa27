"""Output that README.md shows is what the commands print."""

import json
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.errors import EvidenceError
from edgekit.records import validate
from edgekit.report.studies import study_report
from edgekit.studies.results import Study
from tests.report.rendered import rendered

README = Path(__file__).parent.parent / "README.md"
RESULTS = README.parent / "benchmarks" / "results" / "study_digits.json"
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


def test_the_study_is_the_report_of_its_results() -> None:
    """It ran on examples/digits; benchmarks/results/study_digits.json is what it wrote."""
    study = validate(Study, json.loads(RESULTS.read_text()), str(RESULTS), EvidenceError)
    report = [line.rstrip() for line in rendered(*study_report(study)).splitlines() if line.strip()]
    lines = [line for line in shown("edgekit study --pair quantize-weights,sparsify").splitlines() if line]
    assert lines == [*report, "written: study.json"]
