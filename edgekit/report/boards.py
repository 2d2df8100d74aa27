"""The output of `edgekit targets check`."""

import json
from collections.abc import Sequence

from rich.console import RenderableType
from rich.markup import escape

from edgekit.report.tables import table, with_unit
from edgekit.runners.board import Board
from edgekit.runners.environment import hindrances
from edgekit.target import Target

SCHEMA = 1
_REPORTED = ("os", "python", "cores", "clock_khz", "memory", "free_memory", "free_disk")


def board_report(board: Board, matching: Sequence[Target]) -> list[RenderableType]:
    """What a board is, which targets' figures can be measured there, and what would disturb them."""
    rows = table(f"{escape(str(board.address))}: {escape(board.name)}", "", "what it says")
    for name, value in _facts(board).items():
        rows.add_row(name, escape(value))
    ids = ", ".join(each.id for each in matching)
    shown: list[RenderableType] = [rows]
    shown.append(f"measurements there apply to: {ids}" if ids else "it matches no known target")
    if board.is_here:
        shown.append("the address is this machine: its figures are [bold]native[/], not device")
    shown += [f"[bold yellow]disturbed[/]: {escape(why)}" for why in hindrances(board.report.machine_state.to_json())]
    return shown


def board_json(board: Board, matching: Sequence[Target]) -> str:
    """The same as one JSON object."""
    state = board.report.machine_state.to_json()
    values = {
        "schema": SCHEMA,
        "address": str(board.address),
        "name": board.name,
        "arch": board.arch,
        "isa": sorted(board.host.isa),
        "cpu_part": board.host.cpu_part,
        "cpu": board.host.cpu_name,
        "here": board.is_here,
        **{name: getattr(board.report, name) for name in _REPORTED},
        "runtime": board.report.versions.get("onnxruntime"),
        "targets": [each.id for each in matching],
        "machine_state": state,
        "disturbed": hindrances(state),
    }
    return json.dumps(values, indent=2)


def _facts(board: Board) -> dict[str, str]:
    item, host = board.report, board.host
    around = item.machine_state
    facts = {
        "system": f"{item.os}, {board.arch}",
        "CPU": f"{item.cores} x {host.cpu_name}" + (f" (part {host.cpu_part})" if host.cpu_part else ""),
        "instruction sets": ", ".join(sorted(host.isa)),
        "clock": f"{item.clock_khz / 1e3:,.0f} MHz at most" if item.clock_khz else "unknown",
        "governor": around.governor or "unknown",
        "load": f"{around.load:.2f} in the last minute" if around.load is not None else "unknown",
        "temperature": f"{around.celsius:.0f} degrees C" if around.celsius is not None else "unknown",
        "memory": f"{_bytes(item.memory)}, {_bytes(item.free_memory)} free",
        "disk": f"{with_unit(item.free_disk, 'bytes')} free",
        "Python": item.python,
        "onnxruntime": item.versions.get("onnxruntime") or "none installed: edgekit sends the target's",
    }
    return {name: value for name, value in facts.items() if value}


def _bytes(size: int | None) -> str:
    return "unknown" if size is None else with_unit(size, "bytes")
