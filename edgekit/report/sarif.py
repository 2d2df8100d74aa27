"""SARIF 2.1.0 (OASIS): findings for code hosts and editors, with the lines that they concern."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekit.builds.check import RecipeCheck
from edgekit.planning.interactions import Severity
from edgekit.planning.lint import Finding
from edgekit.project.project import PROJECT_FILE
from edgekit.records import header_lines, key_line
from edgekit.version import __version__

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def sarif_log(check: RecipeCheck) -> str:
    """One run whose results are the findings, each at the line of its step in the recipe's file. For a named recipe,
    which is a file of edgekit's, it is the line of edgekit.toml that names it."""
    codes = list(dict.fromkeys(each.code for each in check.findings))
    by_code = {each.code: each for each in reversed(check.findings)}
    locations = _Locations(check)
    run = {
        "tool": {
            "driver": {
                "name": "edgekit",
                "semanticVersion": __version__,
                "rules": [_rule(by_code[code]) for code in codes],
            }
        },
        "results": [_result(each, codes, locations) for each in check.findings],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _rule(finding: Finding) -> dict[str, Any]:
    fix = f" What to do: {finding.fix}." if finding.fix else ""
    return {
        "id": finding.code,
        "shortDescription": {"text": finding.title},
        "fullDescription": {"text": finding.why},
        "help": {"text": f"{finding.why}{fix} More: edgekit explain {finding.code}"},
        "defaultConfiguration": {"level": _LEVELS[finding.severity]},
    }


def _result(finding: Finding, codes: Sequence[str], locations: "_Locations") -> dict[str, Any]:
    target = f" (for {finding.target})" if finding.target else ""
    fix = f". Fix: {finding.fix}" if finding.fix else ""
    related = [] if finding.other is None else [{"id": 1, **locations.of(finding.other)}]
    return {
        "ruleId": finding.code,
        "ruleIndex": codes.index(finding.code),
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{finding.message}{target}{fix}"},
        "locations": [locations.of(finding.step)],
        **({"relatedLocations": related} if related else {}),
    }


class _Locations:
    """The lines of a recipe's steps."""

    def __init__(self, check: RecipeCheck) -> None:
        self.steps = check.recipe.steps
        source = check.recipe.source
        assert source is not None, "a recipe that is consulted on comes from a file"
        project = check.project
        self.is_own = project is None or source.resolve().is_relative_to(project.root)
        self.path = source if self.is_own or project is None else project.root / PROJECT_FILE
        lines = header_lines(self.path, "steps") if self.is_own else []
        self.lines = lines if len(lines) == len(self.steps) else []
        self.line = key_line(self.path, "steps" if self.is_own else "recipe")
        """The line of the whole recipe, and of each step without a header of its own."""

    def of(self, step: int | None) -> Mapping[str, Any]:
        line = self.lines[step] if step is not None and self.lines else self.line
        found: dict[str, Any] = {
            "physicalLocation": {"artifactLocation": {"uri": _uri(self.path)}, "region": {"startLine": line}}
        }
        if step is not None:
            name = f"step {step + 1} {self.steps[step].label}"
            found["logicalLocations"] = [{"fullyQualifiedName": name, "kind": "object"}]
        return found


def _uri(path: Path) -> str:
    """Relative to the working directory, as code hosts expect; absolute outside it."""
    absolute = path.resolve()
    here = Path.cwd()
    return absolute.relative_to(here).as_posix() if absolute.is_relative_to(here) else absolute.as_uri()
