"""The output of `edgekit inspect`."""

import json
from pathlib import Path

from rich.console import RenderableType
from rich.markup import escape

from edgekit.model.inspection import Inspection
from edgekit.model.ports import Port
from edgekit.model.sizes import fill_sizes, option
from edgekit.report.tables import table

SCHEMA = 1


def inspection_report(path: Path, found: Inspection) -> list[RenderableType]:
    """Inputs and outputs, then the file's figures, then the operators by number."""
    ports = table(str(path), "port", "name", "type", "shape")
    for kind, group in (("input", found.inputs), ("output", found.outputs)):
        for port in group:
            ports.add_row(kind, escape(port.name), port.dtype, _shape(port))
    figures = table("", "figure (static)", "value")
    figures.add_row("file size", f"{path.stat().st_size:,} B")
    figures.add_row("opset", ", ".join(f"{domain} {number}" for domain, number in found.opset.items()))
    figures.add_row("parameters", f"{found.parameters:,}")
    figures.add_row("bytes of weights", f"{found.weight_bytes:,} B")
    live = "unknown" if found.activation_bytes is None else f"{found.activation_bytes:,} B at the peak"
    figures.add_row("bytes of activations", live)
    figures.add_row("MACs, one run", f"unknown: {escape(_unknown(found))}" if found.macs is None else f"{found.macs:,}")
    figures.add_row(
        "weights by type", ", ".join(f"{count:,} {kind}" for kind, count in found.weight_types.items()) or "none"
    )
    figures.add_row("integer operators", str(found.integer_operators))
    kinds = ", ".join(f"{count} {kind}" for kind, count in found.float_kinds.items())
    figures.add_row("float operators", f"{found.float_operators}: {kinds}" if kinds else "0")
    figures.add_row("what holds", ", ".join(found.traits))
    operators = table("", "operator", "count", numeric=frozenset({1}))
    for name, count in found.operators.items():
        operators.add_row(name, str(count))
    return [ports, figures, operators]


def inspection_json(path: Path, found: Inspection) -> str:
    """The same as one JSON object."""
    return json.dumps({"schema": SCHEMA, "model": str(path), "bytes": path.stat().st_size, **found.to_json()}, indent=2)


def _unknown(found: Inspection) -> str:
    """Why the MACs are unknown, and what to do."""
    left = [port for port in fill_sizes(found.inputs, {}) if any(isinstance(size, str) for size in port.shape)]
    return f"{found.macs_unknown}; give its length: {option(left[0])}" if left else found.macs_unknown


def _shape(port: Port) -> str:
    return " x ".join(str(size) for size in port.shape) or "scalar"
