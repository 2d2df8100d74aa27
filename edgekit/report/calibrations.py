"""The output of `edgekit calibrate`."""

import json
import math
from dataclasses import asdict

from rich.console import RenderableType
from rich.markup import escape

from edgekit.benchmarking.board_calibration import BoardCalibration
from edgekit.latency.board_fit import FEWEST_FOR_PRICES, MeasuredNetwork, lacks_fitting
from edgekit.latency.fitting import FEWEST
from edgekit.latency.model import FEWEST_FAMILIES, BoardFit
from edgekit.report.tables import table, with_unit
from edgekit.version import pip_install
from edgekit.wording import count_of

SCHEMA = 1
_SHOWN = 3
"""The number of disturbances that are named."""


def calibration_report(done: BoardCalibration) -> list[RenderableType]:
    """Each network's time with its earlier prediction, and the new prediction with its error."""
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
        before = f"{earlier.milliseconds / each.milliseconds - 1:+.0%}" if earlier else ""
        error = _left_out(done, each)
        after = "" if error is None else f"{math.expm1(error):+.0%}"
        rows.add_row(escape(each.network), str(each.threads), with_unit(each.milliseconds, "ms"), before, after)
    shown: list[RenderableType] = [
        rows,
        "off: the previous prediction; left out: a prediction calibrated on all other networks",
    ]
    fits = [each for each in done.calibration.fits if each.runtime == str(done.target.runtime)]
    shown += [_words(each) for each in fits]
    for count in sorted({each.threads for each in done.new} - {each.threads for each in fits}):
        text = f"{count_of(count, 'thread')}: kept, but too few to fit prices, and none are known for {done.target.cpu}"
        shown.append(escape(f"{text}: at least {FEWEST_FOR_PRICES} networks are needed"))
    if lacks_fitting():
        shown.append(
            escape(f"fitting a board's own prices needs scipy: {pip_install('training')}, then calibrate again")
        )
    shown += [f"{escape(each.model)}: not measured, {escape(each.why)}" for each in done.absent]
    shown += [f"[bold yellow]disturbed[/]: {escape(why)}" for why in done.disturbed[:_SHOWN]]
    if len(done.disturbed) > _SHOWN:
        shown.append(
            f"[bold yellow]disturbed[/]: and {len(done.disturbed) - _SHOWN} more; calibrate again on a quiet board"
        )
    shown.append(f"written: {escape(str(done.path))}")
    return shown


def calibration_json(done: BoardCalibration) -> str:
    """The same as one JSON object."""
    measured = []
    for each, earlier in zip(done.new, done.before, strict=True):
        values = {name: value for name, value in each.to_json().items() if name != "figures"}
        measured.append({**values, "before": asdict(earlier) if earlier else None, "left_out": _left_out(done, each)})
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


def _left_out(done: BoardCalibration, measured: MeasuredNetwork) -> float | None:
    """The logarithmic error of a network's prediction from the others; None if they give no prices."""
    place = measured.runtime, measured.threads
    fits = [each for each in done.calibration.fits if (each.runtime, each.threads) == place]
    return fits[0].errors[measured.name] if fits else None


def _words(fit: BoardFit) -> str:
    count = len(fit.errors)
    text = f"{fit.runtime}, {count_of(fit.threads, 'thread')}: {count_of(count, 'network')}, "
    if fit.margin is None:
        return (
            f"{escape(text)}too few for an interval: at least {FEWEST} networks of {FEWEST_FAMILIES} kinds are needed"
        )
    off = sum(abs(math.expm1(error)) for error in fit.errors.values()) / count
    return f"{escape(text)}mean error {off:.1%} when left out; 90 % intervals of x {math.exp(fit.margin):.2f}"
