"""manifest.json: what the model is, where it came from, what was measured and how."""

import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from edgekit import __version__
from edgekit.files import sha256_of_file
from edgekit.model.ports import Port
from edgekit.project.project import Project
from edgekit.target import Target
from edgekit.traits import Fidelity
from edgekit.verdict.verify import Verdict

SCHEMA = 1

_TOOLS = ("torch", "torch-pruning", "onnx", "onnxscript", "onnxruntime", "onnxsim", "onnxslim", "numpy")


@dataclass(frozen=True)
class Lineage:
    """One step of the way to a model, as the manifest tells it."""

    name: str
    role: str
    options: dict[str, Any]
    digest: str
    parents: tuple[str, ...]
    notes: dict[str, Any]
    metric: float | None
    warning: str


def manifest(
    project: Project,
    target: Target,
    recipe: str,
    lineage: Sequence[Lineage],
    verdict: Verdict,
    value: float,
    reference_value: float,
    inputs: Sequence[tuple[Port, dict[str, Any]]],
    outputs: Sequence[tuple[Port, dict[str, Any]]],
    assumed: Sequence[str],
    findings: Sequence[dict[str, Any]],
    preprocessing: dict[str, Any],
    passed_over: Sequence[dict[str, Any]],
    folder: Path,
    golden: dict[str, Any],
) -> dict[str, Any]:
    """The manifest of a bundle whose files lie in `folder`, all but the manifest itself."""
    return {
        "schema": SCHEMA,
        "edgekit": __version__,
        "project": project.name,
        "target": target.to_json(),
        "recipe": recipe,
        "passed_over": list(passed_over),
        "seed": project.seed,
        "passed": verdict.passed,
        "model": {"file": "model.onnx", "format": "onnx", "inputs": _ports(inputs), "outputs": _ports(outputs)},
        "preprocessing": preprocessing,
        "metric": {
            "name": project.metric,
            "value": value,
            "reference_value": reference_value,
            "fidelity": Fidelity.NATIVE,
        },
        "gates": [gate.to_json() for gate in verdict.gates],
        "warnings": list(verdict.warnings),
        "measurements": [each.to_json() for each in verdict.measurements],
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
            for each in lineage
        ],
        "findings": list(findings),
        "assumed_unchanged": list(assumed),
        "tools": tool_versions(),
        "files": {path.name: sha256_of_file(path) for path in sorted(folder.iterdir()) if path.name != "manifest.json"},
    }


def tool_versions() -> dict[str, str]:
    """The versions of Python and of the packages that make models."""
    found = {"python": platform.python_version()}
    for name in _TOOLS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _ports(ports: Sequence[tuple[Port, dict[str, Any]]]) -> list[dict[str, Any]]:
    return [{"name": port.name, "dtype": port.dtype, "shape": list(port.shape), **scales} for port, scales in ports]


def safe_file_name(name: str) -> str:
    """A tensor's name as a file name."""
    return re.sub(r"[^\w.-]", "_", name, flags=re.ASCII)
