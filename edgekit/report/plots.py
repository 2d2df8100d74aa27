"""The plot of a study: the metric after every step, one line per arm, intervals shaded."""

from collections.abc import Sequence
from io import BytesIO
from typing import Literal

from edgekit.figures.intervals import Interval
from edgekit.studies.results import Arm, Study
from edgekit.wording import count_of

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
"""The palette of Okabe and Ito, which is distinguishable with colour blindness."""
_STYLES = ("-", "--", "-.", ":")


def study_plot(study: Study, form: Literal["png", "svg"]) -> bytes:
    """The plot of a study's arms. Raises ImportError if matplotlib is not installed (the extra `plot`)."""
    title = f"{study.project} for {study.target}: {count_of(len(study.seeds), 'seed')}, {study.host} ({study.fidelity})"
    return stages_plot(study.arms, study.unit, f"{title}{f', {study.data}' if study.data else ''}", form)


def stages_plot(arms: Sequence[Arm], unit: str, title: str, form: Literal["png", "svg"]) -> bytes:
    """The metric after every step that has one, with the arms' last steps side by side at the right."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    lines = [[(stage.step.label, stage.metric) for stage in arm.stages if stage.metric is not None] for arm in arms]
    longest = max(map(len, lines))
    # Without pyplot, so that the caller's backend and open figures stay as they are.
    figure = Figure(figsize=(max(6.4, 1.1 * longest + 2), 4.2 + 0.22 * len(arms)), layout="constrained")
    axes = figure.subplots()
    for number, (arm, line) in enumerate(zip(arms, lines, strict=True)):
        colour, style = COLOURS[number % len(COLOURS)], _STYLES[number // len(COLOURS) % len(_STYLES)]
        at = list(range(1, len(line) + 1))
        axes.plot(at, [each.mean for _, each in line], style, color=colour, marker="o", markersize=4, label=arm.name)
        low, high = [_low(each) for _, each in line], [_high(each) for _, each in line]
        axes.fill_between(at, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.set_xticks(range(1, longest + 1), [_tick(lines, index) for index in range(longest)], fontsize=8)
    axes.set_ylabel(f"metric, {unit}")
    axes.set_title(title, fontsize=9)
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", fontsize=8, ncols=1 if longest < 6 else 2, frameon=False)
    buffer = BytesIO()
    with mpl.rc_context({"svg.hashsalt": "edgekit"}):
        figure.savefig(buffer, format=form, dpi=150, metadata={"Date": None} if form == "svg" else {"Software": None})
    return buffer.getvalue()


def _tick(lines: Sequence[Sequence[tuple[str, Interval]]], index: int) -> str:
    """The step's name if it is the same in all arms of this length, else all names."""
    names = dict.fromkeys(line[index][0] for line in lines if len(line) > index)
    return "\n".join(names) if len(names) < 5 else f"step {index + 1}"


def _low(each: Interval) -> float:
    return each.mean if each.low is None else each.low


def _high(each: Interval) -> float:
    return each.mean if each.high is None else each.high
