"""The output of `edgekit quantize` and `edgekit simplify`."""

import json
from dataclasses import asdict

from rich.console import RenderableType
from rich.markup import escape

from edgekit.contract.step import OUTLIERS, Step
from edgekit.execution.single_step import Conversion
from edgekit.report.integers import section_lines
from edgekit.report.tables import table, with_unit
from edgekit.wording import format_metric

SCHEMA = 1

_APART_DB = 1.0
"""SQNR in the runtime and as written are both shown if they differ by as much."""


def conversion_report(found: Conversion) -> list[RenderableType]:
    """Sizes before and after, what was compared on which samples, and what stayed float with the reason."""
    rows = table("", "file", "size\nstatic", "smaller\nstatic", numeric=frozenset({1, 2}))
    rows.add_row(escape(str(found.source)), with_unit(found.source_bytes, "bytes"), "1.0 x")
    ratio = f"{found.source_bytes / found.bytes:.1f} x"
    rows.add_row(escape(str(found.path)), with_unit(found.bytes, "bytes"), ratio)
    shown: list[RenderableType] = [rows]
    notes = found.notes
    shown += [escape(each) for each in section_lines(Step.registry[found.step].sections, notes)]
    if "calibration_samples" in notes:
        shown.append(f"{notes['calibration']} over {notes['calibration_samples']} samples")
    for name, noise in notes.get("signal_to_noise_db", {}).items():
        text = "nothing differs" if noise is None else f"{format_metric(noise, 'dB')} dB of signal to noise"
        written = notes.get("signal_to_noise_as_written_db", {}).get(name, noise)
        if written is not None and noise is not None and abs(written - noise) >= _APART_DB:
            text += f" in the runtime, {format_metric(written, 'dB')} as written,"
        shown.append(escape(f"output '{name}': {text} against the float model (native)"))
    for name, text in notes.get("lost_parts", {}).items():
        shown.append(f"[yellow]warning:[/] {escape(f'output {name!r}: more noise than signal in {text}')}")
    shown += [f"[yellow]warning:[/] {escape(text)}" for text in notes.get(OUTLIERS, ())]
    shown.append(escape(f"compared on {notes['compared_on']}"))
    return shown


def conversion_json(found: Conversion) -> str:
    """The same as one JSON object; README documents it."""
    values = {**asdict(found), "source": str(found.source), "path": str(found.path)}
    return json.dumps({"schema": SCHEMA, **values}, indent=2)
