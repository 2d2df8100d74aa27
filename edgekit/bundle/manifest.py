"""manifest.json: what the model is, where it came from, what was measured and how."""

import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.contract.registry import fallback_step
from edgekit.errors import PlanError, first_line
from edgekit.figures.measurement import Measurement
from edgekit.files import sha256_of_file
from edgekit.formats import format_of
from edgekit.gates.verdict import Verdict
from edgekit.host import installed_version
from edgekit.model.ports import Port
from edgekit.project.project import Project
from edgekit.records import read_json
from edgekit.runtime_specs import RUNTIMES
from edgekit.target import Target
from edgekit.traits import Fidelity
from edgekit.version import __version__

SCHEMA = 1
MANIFEST = "manifest.json"

_TOOLS = ("torch", "torch-pruning", "onnx", "onnxscript", "onnxsim", "onnxslim", "numpy", *RUNTIMES)


@dataclass(frozen=True)
class Lineage:
    """One step in a model's lineage, as the manifest records it."""

    name: str
    role: str
    options: dict[str, Any]
    digest: str
    parents: tuple[str, ...]
    notes: dict[str, Any]
    metric: float | None
    warning: str


@dataclass(frozen=True)
class Origin:
    """What the manifest records that the bundle's files do not show."""

    recipe: str
    rejected_recipes: Sequence[dict[str, Any]]
    """Recipes that were tried before and rejected, with the reason."""
    runtimes: Sequence[dict[str, Any]]
    """The runtimes that were tried for the fastest, the deployed one first; empty if the fastest was not requested."""
    lineage: Sequence[Lineage]
    findings: Sequence[dict[str, Any]]
    preprocessing: dict[str, Any]
    assumed: Sequence[str]
    """Data that the project does not declare."""
    verdict: Verdict
    metric: Measurement
    """The model's metric, of the highest fidelity."""
    reference_value: float
    """The metric of the uncompressed model on the machine that built it."""


def manifest(
    project: Project,
    target: Target,
    origin: Origin,
    model: Path,
    inputs: Sequence[tuple[Port, dict[str, Any]]],
    outputs: Sequence[tuple[Port, dict[str, Any]]],
    golden: dict[str, Any],
) -> dict[str, Any]:
    """The manifest of a bundle: all files beside `model` except the manifest itself."""
    return {
        "schema": SCHEMA,
        "edgekit": __version__,
        "project": project.name,
        "target": target.to_json(),
        "recipe": origin.recipe,
        "rejected_recipes": list(origin.rejected_recipes),
        "passed_over": list(origin.rejected_recipes),  # the former key, for schema 1
        **({"runtimes": list(origin.runtimes)} if origin.runtimes else {}),
        "seed": project.seed,
        "passed": origin.verdict.passed,
        "model": {
            "file": model.name,
            "format": format_of(model),
            "inputs": _ports(inputs),
            "outputs": _ports(outputs),
        },
        "preprocessing": origin.preprocessing,
        "metric": {
            "name": project.metric,
            "value": origin.metric.value,
            "fidelity": origin.metric.fidelity,
            "reference_value": origin.reference_value,
            "reference_fidelity": Fidelity.NATIVE,
        },
        "gates": [gate.to_json() for gate in origin.verdict.gates],
        "measurements": [each.to_json() for each in origin.verdict.measurements],
        **({"disturbed": list(origin.verdict.disturbed)} if origin.verdict.disturbed else {}),
        "golden": golden,
        "lineage": [
            {
                "step": each.name,
                "role": each.role,
                "options": each.options,
                "digest": each.digest,
                "parents": list(each.parents),
                "metric": each.metric,
                "warning": each.warning,
                "notes": each.notes,
            }
            for each in origin.lineage
        ],
        "findings": list(origin.findings),
        "assumed_unchanged": list(origin.assumed),
        "tools": tool_versions(),
        "files": {path.name: sha256_of_file(path) for path in sorted(model.parent.iterdir()) if path.name != MANIFEST},
    }


def float_operators_of(path: Path) -> tuple[str, tuple[str, ...]]:
    """The target of a manifest's build, and the operators that were put back to float. Raises PlanError for a file
    without such a record."""
    kind = fallback_step()
    names = (kind.name(), *kind.former_names)
    hint = f"give the manifest.json of a build whose recipe has the step {kind.name()}"
    data = read_json(path, PlanError, hint)
    try:
        target, notes = data["target"]["id"], [each["notes"] for each in data["lineage"] if each["step"] in names]
        floats = [str(name) for name in notes[-1][kind.fallback_option]]
    except (LookupError, TypeError) as error:
        raise PlanError(f"{path} records no float operators: {first_line(error)}", hint) from error
    return str(target), tuple(floats)


def tool_versions() -> dict[str, str]:
    """The versions of Python and of the packages that produce models."""
    found = {"python": platform.python_version(), **{name: installed_version(name) for name in _TOOLS}}
    return {name: version for name, version in found.items() if version}


def _ports(ports: Sequence[tuple[Port, dict[str, Any]]]) -> list[dict[str, Any]]:
    return [{"name": port.name, "dtype": port.dtype, "shape": list(port.shape), **scales} for port, scales in ports]


def safe_file_name(name: str) -> str:
    """A tensor's name as a file name."""
    return re.sub(r"[^\w.-]", "_", name, flags=re.ASCII)
