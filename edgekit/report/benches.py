"""What `edgekit bench` prints."""

import json

from rich.console import RenderableType
from rich.markup import escape

from edgekit.measuring.measure import Bench
from edgekit.report.tables import MARKS, interval_of, table

SCHEMA = 2


def bench_report(found: Bench) -> list[RenderableType]:
    """One row a figure, each with how it was obtained; below, what could not be measured and why."""
    where = f" for {found.target.id}" if found.target else ""
    rows = table("", "figure", "value", "fidelity", "how", numeric=frozenset({1}))
    for one in found.measurements:
        rows.add_row(one.name, interval_of(one), one.fidelity, escape(one.detail))
    shown: list[RenderableType] = [f"[bold]{escape(found.model.name)}{where}, on {escape(found.place)}[/]", rows]
    if found.gates:
        gates = table("", "gate", "status", "detail")
        for gate in found.gates:
            gates.add_row(gate.name, MARKS[gate.status], escape(gate.detail))
        shown.append(gates)
    return shown


def bench_json(found: Bench) -> str:
    """The same as one JSON object; README documents it."""
    told = {
        "schema": SCHEMA,
        "model": str(found.model),
        "target": found.target.id if found.target else None,
        "place": found.place,
        "measurements": [one.to_json() for one in found.measurements],
        "gates": [gate.to_json() for gate in found.gates],
    }
    return json.dumps(told, indent=2)
