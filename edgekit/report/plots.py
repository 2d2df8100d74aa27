"""The plot of a study: the final metric of each arm with its interval, and a panel for each arm with the metric after
every step."""

import math
from collections.abc import Sequence
from importlib.util import find_spec
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

from edgekit.figures.intervals import Interval
from edgekit.studies.results import Arm, Study
from edgekit.traits import Role
from edgekit.version import pip_install
from edgekit.wording import count_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {Role.STUDENT: "#0072B2", Role.TEACHER: "#D55E00"}
"""From the palette of Okabe and Ito, which is distinguishable with colour blindness."""
_COLUMNS = 3


def no_plot() -> str:
    """Why no plot can be drawn; empty if matplotlib is installed."""
    if find_spec("matplotlib") is not None:
        return ""
    return f"no plot: matplotlib is not installed ({pip_install('plot')})"


def study_plot(study: Study, form: Literal["png", "svg"]) -> bytes:
    """The plot of a study's arms. Raises ImportError if matplotlib is not installed (the extra `plot`)."""
    title = f"{study.project} for {study.target}: {count_of(len(study.seeds), 'seed')}, {study.host} ({study.fidelity})"
    return stages_plot(study.arms, study.unit, f"{title}{f', {study.data}' if study.data else ''}", form)


def stages_plot(arms: Sequence[Arm], unit: str, title: str, form: Literal["png", "svg"]) -> bytes:
    """The final metric of each arm, and below it a panel for each arm with its own steps, the teacher's apart from the
    student's."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    columns = 2 if len(arms) in (2, 4) else min(_COLUMNS, len(arms))
    rows = math.ceil(len(arms) / columns)
    summary, panel = 0.9 + 0.28 * len(arms), 2.5
    # Without pyplot, so that the caller's backend and open figures stay as they are.
    figure = Figure(figsize=(3.4 * columns + 2.2, summary + panel * rows + 0.6), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=[summary, panel * rows])
    top, bottom = parts
    figure.suptitle(title, fontsize=9)
    _final(top.subplots(), arms, unit)
    panels = bottom.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for axes, arm in zip(panels, arms, strict=False):
        _steps(axes, arm)
    for axes in panels[len(arms) :]:
        axes.set_axis_off()
    bottom.supylabel(f"metric, {unit}", fontsize=8)
    lines = {str(each.get_label()): each for axes in panels for each in axes.containers}
    bottom.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    buffer = BytesIO()
    with mpl.rc_context({"svg.hashsalt": "edgekit"}):
        figure.savefig(buffer, format=form, dpi=150, metadata={"Date": None} if form == "svg" else {"Software": None})
    return buffer.getvalue()


def _final(axes: "Axes", arms: Sequence[Arm], unit: str) -> None:
    """One row for each arm: the metric after its last step that has one."""
    for row, arm in enumerate(arms):
        measured = [stage.metric for stage in arm.stages if stage.metric is not None]
        if not measured:
            continue
        last = measured[-1]
        axes.errorbar(
            last.mean, row, xerr=[[last.mean - _low(last)], [_high(last) - last.mean]], **_marks(COLOURS[Role.STUDENT])
        )
        axes.annotate(f"{last.mean:.4g}", (last.mean, row), (0, 5), textcoords="offset points", fontsize=7, ha="center")
    axes.set_yticks(range(len(arms)), [arm.name for arm in arms], fontsize=8)
    axes.set_ylim(len(arms) - 0.5, -0.7)
    axes.set_xlabel(f"metric after the last step, {unit}, 95 % interval", fontsize=8)
    _tidy(axes, "x")


def _steps(axes: "Axes", arm: Arm) -> None:
    """The metric after each step, one line for each role."""
    measured = [stage for stage in arm.stages if stage.metric is not None]
    for role, colour in COLOURS.items():
        line = [(at, stage.metric) for at, stage in enumerate(measured) if stage.step.role is role and stage.metric]
        if line:
            at, metrics = zip(*line, strict=True)
            means = [each.mean for each in metrics]
            errors = [[each.mean - _low(each) for each in metrics], [_high(each) - each.mean for each in metrics]]
            axes.errorbar(at, means, yerr=errors, **{**_marks(colour), "linestyle": "-"}, label=str(role))
    axes.set_xticks(range(len(measured)), [stage.step.label for stage in measured], fontsize=7, rotation=35, ha="right")
    axes.set_xlim(-0.4, max(len(measured) - 0.6, 0.4))
    axes.set_title(arm.name, fontsize=8, wrap=True)
    _tidy(axes, "y")


def _marks(colour: str) -> dict[str, Any]:
    return {"color": colour, "marker": "o", "markersize": 4, "capsize": 2, "linewidth": 1, "linestyle": "none"}


def _tidy(axes: "Axes", grid: Literal["x", "y"]) -> None:
    axes.grid(axis=grid, alpha=0.3)
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)


def _low(each: Interval) -> float:
    return each.mean if each.low is None else each.low


def _high(each: Interval) -> float:
    return each.mean if each.high is None else each.high
