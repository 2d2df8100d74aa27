"""What `edgekit targets check` prints."""

import json
from collections.abc import Sequence

from rich.console import RenderableType
from rich.markup import escape

from edgekit.benchmarking.environment import hindrances
from edgekit.report.tables import table, with_unit
from edgekit.runners.board import Board
from edgekit.target import Target

SCHEMA = 1


def board_report(board: Board, matching: Sequence[Target]) -> list[RenderableType]:
    """What a board is, whose figures can be taken there, and what would disturb them."""
    rows = table(f"{escape(str(board.address))}: {escape(board.name)}", "", "what it says")
    for name, value in _facts(board).items():
        rows.add_row(name, escape(value))
    ids = ", ".join(each.id for each in matching)
    shown: list[RenderableType] = [rows]
    shown.append(f"figures taken there are those of: {ids}" if ids else "it is none of the known targets")
    if board.is_here:
        shown.append("it is this machine: figures taken there are [bold]native[/], not device")
    shown += [f"[bold yellow]disturbed[/]: {escape(why)}" for why in hindrances(board.told["surroundings"])]
    return shown


def board_json(board: Board, matching: Sequence[Target]) -> str:
    """The same as one JSON object."""
    told = {
        "schema": SCHEMA,
        "address": str(board.address),
        "name": board.name,
        "arch": board.arch,
        "isa": sorted(board.host.isa),
        "cpu_part": board.host.cpu_part,
        "cpu": board.host.cpu_name,
        "here": board.is_here,
        **{name: board.told[name] for name in ("os", "python", "cores", "clock_khz", "memory", "free_memory")},
        "free_disk": board.told["free_disk"],
        "runtime": board.told["versions"]["onnxruntime"],
        "targets": [each.id for each in matching],
        "surroundings": board.told["surroundings"],
        "disturbed": hindrances(board.told["surroundings"]),
    }
    return json.dumps(told, indent=2)


def _facts(board: Board) -> dict[str, str]:
    told, host = board.told, board.host
    around = told["surroundings"]
    facts = {
        "system": f"{told['os']}, {board.arch}",
        "CPU": f"{told['cores']} x {host.cpu_name}" + (f" (part {host.cpu_part})" if host.cpu_part else ""),
        "instruction sets": ", ".join(sorted(host.isa)),
        "clock": f"{told['clock_khz'] / 1e3:,.0f} MHz at most" if told["clock_khz"] else "not told",
        "governor": around["governor"] or "not told",
        "load": f"{around['load']:.2f} in the last minute" if around["load"] is not None else "not told",
        "temperature": f"{around['celsius']:.0f} degrees C" if around["celsius"] is not None else "not told",
        "memory": f"{with_unit(told['memory'], 'bytes')}, {with_unit(told['free_memory'], 'bytes')} free",
        "disk": f"{with_unit(told['free_disk'], 'bytes')} free",
        "Python": told["python"],
        "onnxruntime": told["versions"]["onnxruntime"] or "none of its own: edgekit brings the target's",
    }
    return {name: value for name, value in facts.items() if value}
