"""The output of `edgekit bench`."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from xml.etree import ElementTree

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from edgekit.benchmarking.bench import Bench, CandidateBench
from edgekit.benchmarking.operator_profile import OperatorPrecision
from edgekit.encoding import csv_cell, printable
from edgekit.figures.measurement import PREDICTED, Measurement
from edgekit.gates.gates import Status
from edgekit.report.tables import MARKS, table, with_unit
from edgekit.wording import count_of

SCHEMA = 2

Setting = tuple[int | None, int | None]


def bench_report(found: Bench) -> list[RenderableType]:
    """One row per figure with its fidelity; below, several settings or models side by side, and what could not be
    measured with the reason."""
    where = f" for {found.target.id}" if found.target else ""
    shown: list[RenderableType] = []
    if _by_runtime(found):
        models = ", ".join(dict.fromkeys(each.model.name for each in found.models))
        shown += [f"[bold]{escape(models)}{where} by runtime, on {escape(found.place)}[/]", _side_by_side(found)]
        shown += [*_gates_by_runtime(found), *_closing(found)]
        return shown
    for each in found.models:
        shown.append(f"[bold]{escape(each.name)}{where}, on {escape(found.place)}[/]")
        shown.append(_figures(each))
        if each.operators:
            shown.append(_operators(each))
        if each.gates:
            gates = table("", "gate", "status", "detail")
            for gate in each.gates:
                gates.add_row(gate.name, MARKS[gate.status], escape(gate.detail))
            shown.append(gates)
    if len(found.models) * len(_settings(found.measurements)) > 1:
        shown.append(_side_by_side(found))
    return shown + _closing(found)


def _by_runtime(found: Bench) -> bool:
    return bool(found.absent) or any(each.runtime for each in found.models)


def _closing(found: Bench) -> list[RenderableType]:
    """The machine's state during timing, what figures are compared with, and what could not be run."""
    shown: list[RenderableType] = [f"timed on {escape(found.machine)}"] if found.machine else []
    if _by_runtime(found):
        values = {one.name: one.detail for one in found.measurements if one.name in _COMPARING}
        shown += [escape(f"{_COLUMNS[name]}: {how}".replace("\n", " ")) for name, how in values.items()]
        several = len({each.model for each in found.models}) > 1
        shown += [
            f"[yellow]not run[/]: {escape(f'{one.model}, ' if several else '')}{escape(f'{one.runtime}: {one.why}')}"
            for one in found.absent
        ]
    shown += [f"[yellow]no prediction[/]: {escape(why)}" for why in found.unpredicted]
    shown += [f"[bold yellow]disturbed[/]: {escape(why)}; run again on a quiet machine" for why in found.disturbed]
    return shown


def _gates_by_runtime(found: Bench) -> list[RenderableType]:
    if not found.gates:
        return []
    rows = table("", "runtime", "gate", "status", "detail")
    for each in found.models:
        for gate in each.gates:
            rows.add_row(escape(each.runtime), gate.name, MARKS[gate.status], escape(gate.detail))
    return [rows]


def _figures(each: CandidateBench) -> Table:
    """Figures that depend on no setting, and those of the first setting."""
    threads, batch = next(iter(_settings(each.measurements)), (None, None))
    rows = table("", "figure", "value", "fidelity", "how", numeric=frozenset({1}))
    rows.columns[0].no_wrap = True
    for one in each.measurements:
        items = [one.limits] if one.limits else []
        if threads and one.name in ("latency_p50", PREDICTED):
            items.append(f"{count_of(threads, 'thread')}, batch {batch}")
        items += [one.detail] if one.detail else []
        if one.threads is None or (one.threads, one.batch) == (threads, batch):
            rows.add_row(one.name, with_unit(one.value, one.unit), one.fidelity, escape("; ".join(items)))
    return rows


def _operators(each: CandidateBench) -> Table:
    priced = any(one.predicted_ms is not None for one in each.operators)
    counted = any(one.instructions is not None for one in each.operators)
    what = "predicted, ms" if priced else "instructions" if counted else "ms a run"
    rows = table("", "operator", "computes on", "count", what, "share", numeric=frozenset({2, 3, 4}))
    for one in each.operators:
        share = "" if one.share is None else f"{one.share:.1%}"
        text = "" if one.milliseconds is None else f"{one.milliseconds:.3f}"
        text = text if one.instructions is None else f"{one.instructions:,}"
        text = text if one.predicted_ms is None else f"{one.predicted_ms:.3g}"
        on = f"[yellow]{one.on}[/]" if one.on is OperatorPrecision.ISLAND else one.on
        rows.add_row(escape(one.operator), on, f"{one.count:,}", text, share)
    return rows


def _side_by_side(found: Bench) -> Table:
    """A row for each model and setting, labelled by what differs."""
    settings = _settings(found.measurements)
    named = {
        "model": len({each.model for each in found.models}) > 1 or (len(found.models) > 1 and not _by_runtime(found)),
        "runtime": _by_runtime(found),
        "threads": len({threads for threads, _ in settings}) > 1,
        "batch": len({batch for _, batch in settings}) > 1,
    }
    names = [name for name, several in named.items() if several]
    left_out = {"latency_p99", "throughput"} if named["runtime"] else set()
    figures = {one.name for one in found.measurements} & _COLUMNS.keys() - left_out
    columns = [(figure, name) for figure, name in _COLUMNS.items() if figure in figures]
    first = named["model"] + named["runtime"]
    rows = table("", *names, *(name for _, name in columns), numeric=frozenset(range(first, len(names) + len(columns))))
    for each in found.models:
        for setting in _settings(each.measurements):
            held = {one.name: one for one in each.measurements if (one.threads, one.batch) in (setting, (None, None))}
            name = each.model.name if _by_runtime(found) else each.name
            runtime = escape(each.runtime).replace(", ", ",\n")
            cells = zip(named, (escape(name), runtime, *map(str, setting)), strict=True)
            rows.add_row(
                *(cell for name, cell in cells if named[name]),
                *(
                    _cell(held[figure], "\n" if named["runtime"] else " ") if figure in held else ""
                    for figure, _ in columns
                ),
            )
    return rows


_COLUMNS = {
    "latency_p50": "p50, ms",
    "latency_p99": "p99, ms",
    PREDICTED: "predicted, ms",
    "throughput": "samples/s",
    "memory_peak": "memory",
    "latency_ratio": "ratio, 95 %",
    "steps_apart": "LSB\napart",
    "share_apart": "apart",
    "same_largest": "same\nlargest",
}
_COMPARING = ("latency_ratio", "steps_apart", "share_apart", "same_largest")


def _cell(one: Measurement, between: str) -> str:
    if one.name == PREDICTED:
        return f"{one.value:.3g}{between}({one.low:.3g} to {one.high:.3g})"
    if one.unit in ("ms", "samples/s", "steps"):
        return f"{one.value:.4g}"
    if one.unit == "share":
        return f"{one.value:.2g}"
    shown = with_unit(one.value, one.unit)
    return shown if one.low is None else f"{shown}{between}({_interval(one)})"


def _interval(one: Measurement) -> str:
    return f"{one.low:.4g} to {one.high:.4g}"


def _settings(measurements: Sequence[Measurement]) -> list[Setting]:
    """Every measured (threads, batch)."""
    return list(dict.fromkeys((one.threads, one.batch) for one in measurements if one.threads is not None))


def bench_json(found: Sequence[Bench]) -> str:
    """The same as one JSON object; README documents it. Several places are listed in `benches`."""
    items = [_row(each) for each in found]
    whole = items[0] if len(items) == 1 else {"benches": items}
    return json.dumps({"schema": SCHEMA, **whole}, indent=2)


def _row(found: Bench) -> dict[str, Any]:
    return {
        "target": found.target.id if found.target else None,
        "place": found.place,
        "machine": found.machine,
        "disturbed": found.disturbed,
        **({"unpredicted": found.unpredicted} if found.unpredicted else {}),
        **({"absent": [asdict(one) for one in found.absent]} if found.absent else {}),
        "models": [
            {
                "model": str(each.model),
                **({"runtime": each.runtime} if each.runtime else {}),
                "measurements": [one.to_json() for one in each.measurements],
                "gates": [gate.to_json() for gate in each.gates],
                "operators": [one.to_json() for one in each.operators],
                **({"counts": each.counts.to_json()} if each.counts else {}),
            }
            for each in found.models
        ],
    }


def bench_csv(found: Sequence[Bench]) -> str:
    """A line per figure, with the names of the JSON."""
    lines = io.StringIO()
    rows = [{"place": each.place, **one.to_json()} for each in found for one in each.measurements]
    writer = csv.DictWriter(lines, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: csv_cell(value) for name, value in row.items()} for row in rows)
    return lines.getvalue()


def bench_junit(found: Sequence[Bench]) -> str:
    """JUnit XML for continuous integration: a suite per model and place, a case per gate."""
    root = ElementTree.Element("testsuites")
    for bench, each in ((at, model) for at in found for model in at.models):
        name = each.name if len(found) == 1 else f"{each.name}, on {bench.place}"
        suite = ElementTree.SubElement(root, "testsuite", name=name, tests=str(len(each.gates)))
        for gate in each.gates:
            place = f"edgekit.bench.{bench.target.id if bench.target else 'host'}"
            case = ElementTree.SubElement(suite, "testcase", classname=place, name=gate.name)
            if gate.status is Status.FAILED:
                ElementTree.SubElement(case, "failure", message=gate.detail)
            elif gate.status is not Status.PASSED:
                ElementTree.SubElement(case, "skipped", message=gate.detail)
        failures = sum(gate.status is Status.FAILED for gate in each.gates)
        suite.set("failures", str(failures))
        suite.set("skipped", str(sum(gate.status is not Status.PASSED for gate in each.gates) - failures))
    ElementTree.indent(root)
    return printable(ElementTree.tostring(root, encoding="unicode", xml_declaration=True)) + "\n"
