"""What `edgekit calibrate` prints."""

import json
import math
from dataclasses import asdict

from rich.console import RenderableType
from rich.markup import escape

from edgekit.measurement import counted
from edgekit.measuring.calibrating import Calibrated
from edgekit.prediction.fitting import FEWEST
from edgekit.prediction.model import BoardFit
from edgekit.report.tables import table, with_unit

SCHEMA = 1


def calibration_report(done: Calibrated) -> list[RenderableType]:
    """What each network took and what was predicted; what is predicted from now on, and how far that was off."""
    rows = table(
        f"measured: {escape(done.place)}",
        "network",
        "threads",
        "measured",
        "off before",
        "off, left out",
        numeric=frozenset({1, 2, 3, 4}),
    )
    for each, earlier in zip(done.new, done.before, strict=True):
        fit = _fit(done, each.runtime, each.threads)
        before = f"{earlier.milliseconds / each.milliseconds - 1:+.0%}" if earlier else ""
        after = f"{math.expm1(fit.errors[each.network]):+.0%}"
        rows.add_row(escape(each.network), str(each.threads), with_unit(each.milliseconds, "ms"), before, after)
    shown: list[RenderableType] = [rows, "off: the prediction; left out: by what all others tell, from now on"]
    shown += [_words(each) for each in done.calibration.fits if each.runtime == str(done.target.runtime)]
    shown += [f"{escape(each.model)}: not measured, {escape(each.why)}" for each in done.absent]
    shown += [f"[bold yellow]disturbed[/]: {escape(why)}" for why in done.disturbed]
    shown.append(f"written: {escape(str(done.path))}")
    return shown


def calibration_json(done: Calibrated) -> str:
    """The same as one JSON object."""
    measured = []
    for each, earlier in zip(done.new, done.before, strict=True):
        fit = _fit(done, each.runtime, each.threads)
        told = {name: value for name, value in each.to_json().items() if name != "figures"}
        measured.append({**told, "before": asdict(earlier) if earlier else None, "left_out": fit.errors[each.network]})
    return json.dumps(
        {
            "schema": SCHEMA,
            "target": done.target.id,
            "place": done.place,
            "measured": measured,
            "fits": [
                {"runtime": each.runtime, "threads": each.threads, "networks": len(each.errors), "margin": each.margin}
                for each in done.calibration.fits
            ],
            "absent": [asdict(each) for each in done.absent],
            "disturbed": done.disturbed,
            "written": str(done.path),
        },
        indent=2,
    )


def _fit(done: Calibrated, runtime: str, threads: int) -> BoardFit:
    return next(each for each in done.calibration.fits if (each.runtime, each.threads) == (runtime, threads))


def _words(fit: BoardFit) -> str:
    count = len(fit.errors)
    told = f"{fit.runtime}, {counted(fit.threads, 'thread')}: {counted(count, 'network')}, "
    if fit.margin is None:
        return f"{escape(told)}too few for an interval: {FEWEST} give one"
    off = sum(abs(math.expm1(error)) for error in fit.errors.values()) / count
    return f"{escape(told)}{off:.1%} off when left out, on the average; 90 % intervals of x {math.exp(fit.margin):.2f}"
