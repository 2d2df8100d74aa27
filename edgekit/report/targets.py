"""The output of `edgekit targets`."""

import json
import math
from collections.abc import Sequence

from rich.console import RenderableType
from rich.markup import escape

from edgekit.errors import TargetError
from edgekit.host import this_host
from edgekit.latency.board_fit import read_calibration
from edgekit.latency.model import BoardFit
from edgekit.report.tables import table
from edgekit.target import Target
from edgekit.wording import count_of

SCHEMA = 1


def targets_report(targets: Sequence[Target]) -> RenderableType:
    """One row per target."""
    rows = table("", "target", "name", "CPU", "RAM", "INT8", "figures here", numeric=frozenset({3}))
    for each in targets:
        ram = f"{each.ram_bytes / 2**20:,.0f} MB" if each.ram_bytes else ""
        scheme = f"{_short(each.quantization.activation)}{_short(each.quantization.weight)}"
        rows.add_row(each.id, each.name, each.cpu.split(",")[0] or each.arch, ram, scheme, _figures(each))
    return rows


def targets_json(targets: Sequence[Target], errors: Sequence[TargetError] = ()) -> str:
    """The same as one JSON object, with the errors of target files that are wrong."""
    items = [{"figures": _figures(each), **each.to_json()} for each in targets]
    wrong = [{"message": each.message, "hint": each.hint} for each in errors]
    return json.dumps({"schema": SCHEMA, "targets": items, "errors": wrong}, indent=2)


def target_report(target: Target) -> RenderableType:
    """Every field of one target."""
    rows = table(f"{target.id}: {target.name}", "field", "value")
    for name, value in target.to_json().items():
        if isinstance(value, dict):
            for inner, part in value.items():
                if part is not None:
                    rows.add_row(f"{name}.{inner}", escape(_calibration_lines(part)))
        elif value not in (None, ()):
            rows.add_row(name, escape(_calibration_lines(value)))
    known = read_calibration(target)
    for fit in known.fits if known else ():
        rows.add_row("calibrated", escape(f"{fit.runtime}, {count_of(fit.threads, 'thread')}: {_basis(fit)}"))
    return rows


def target_json(target: Target) -> str:
    """The same as one JSON object."""
    return json.dumps({"schema": SCHEMA, **target.to_json()}, indent=2)


def _basis(fit: BoardFit) -> str:
    interval = f", 90 % intervals of x {math.exp(fit.margin):.2f}" if fit.margin is not None else ""
    return f"{count_of(len(fit.errors), 'network')} on a {fit.board}{interval}"


def _short(kind: str) -> str:
    return {"int8": "S8", "uint8": "U8"}[kind]


def _figures(target: Target) -> str:
    """The fidelities with which the target can be measured on this machine."""
    if target.is_this(this_host()):
        return "native"
    return "emulated" if target.cpu else "none"


def _calibration_lines(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_calibration_lines, value))
    if isinstance(value, dict) and "ways" in value:
        return f"{value['size'] / 1024:,.0f} KB {value['ways']}-way{', shared' if value['shared'] else ''}"
    if isinstance(value, dict):
        return f"{value['name']} {value['version']}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
