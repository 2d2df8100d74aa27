"""The output of `edgekit study`."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.markup import escape

from edgekit.figures.conclusions import Conclusion, is_large_loss
from edgekit.figures.intervals import LEVEL, Interval
from edgekit.report.tables import table, with_unit
from edgekit.studies.results import OrderComparison, StepAblation, Study
from edgekit.wording import count_of, format_level, format_metric

_SHOWN = 2
"""The number of impossible arms that are named."""


def study_report(study: Study) -> list[RenderableType]:
    """The arms step by step, both orders of each pair, and what each technique adds."""
    return [_arms(study), *_alone(study), *_orders(study), *_ablations(study), *_closing(study)]


def _arms(study: Study) -> RenderableType:
    seeds = count_of(len(study.seeds), "seed")
    title = escape(f"study of {study.project} for {study.target}, {seeds}, {study.host} ({study.fidelity})")
    rows = table(title, "arm, its steps", f"{study.unit}, 95 %", "size\nstatic", numeric=frozenset({1, 2}))
    for arm in study.arms:
        rows.add_row(f"[bold]{escape(arm.name)}[/]", "", with_unit(arm.bytes, "bytes"))
        for number, stage in enumerate(arm.stages, 1):
            shown = format_interval(stage.metric, study.unit) if stage.metric else ""
            rows.add_row(escape(f"  {number} {stage.step.label}"), shown, "")
    return rows


def _alone(study: Study) -> Iterator[RenderableType]:
    if not study.alone:
        return
    rows = table("", "one technique\n  compared with none", f"{study.unit}, 95 %", numeric=frozenset({1}))
    for each in study.alone:
        rows.add_row(escape(each.arm), format_interval(each.points, study.unit, signed=True))
    yield rows


def _orders(study: Study) -> Iterator[RenderableType]:
    if not study.orders:
        return
    rows = table("", "this order\n  compared with that", f"{study.unit}, interval", numeric=frozenset({1}))
    for each in study.orders[::2]:
        points = format_interval(each.points, study.unit, signed=True)
        lines = [f"{points}{_level(each)}", _conclusion(each), *_expected(each)]
        rows.add_row(escape(f"{each.arm}\n  {each.other}"), "\n".join(lines))
    yield rows


def _expected(each: OrderComparison) -> list[str]:
    """What the techniques alone let expect, if anything."""
    if each.gap is None or each.gap.low is None:
        return []
    return [f"expected: {each.expected or 'undecided'}"]


def _level(each: OrderComparison | StepAblation) -> str:
    """The interval's level, where Holm's procedure raised it."""
    return f", {format_level(each.level)}" if each.level > LEVEL and each.points.low is not None else ""


def _conclusion(each: OrderComparison | StepAblation) -> str:
    if each.points.low is None:
        return "one seed: no interval, no verdict"
    if each.conclusion is Conclusion.WORSE and not is_large_loss(each.points, each.margin):
        return f"worse, perhaps by less than {each.margin:g}"
    if each.conclusion is Conclusion.EQUIVALENT:
        return f"equivalent: within {each.margin:g}"
    return str(each.conclusion)


def _ablations(study: Study) -> Iterator[RenderableType]:
    if not study.ablations:
        return
    title = f"effect of each technique in {escape(study.whole)}; bytes and time as ratios, with it to without it"
    headings = ("technique", f"{study.unit}, interval", "bytes\nstatic", "time\nnative")
    rows = table(title, *headings, numeric=frozenset({1, 2, 3}))
    rows.columns[0].no_wrap = True
    for each in study.ablations:
        rows.add_row(
            escape(each.step.label),
            f"{format_interval(each.points, study.unit, signed=True)}{_level(each)}\n{_conclusion(each)}",
            f"{each.bytes_with / each.bytes_without:.2f}",
            str(each.latency) if each.latency else "",
        )
    yield rows


def _closing(study: Study) -> Iterator[RenderableType]:
    for each in study.impossible[:_SHOWN]:
        yield escape(f"not run: {each}")
    if len(study.impossible) > _SHOWN:
        yield f"not run: {len(study.impossible) - _SHOWN} more that are impossible"
    for ablated in study.ablations:
        if ablated.pays_off is False:
            yield escape(f"{ablated.step.label} does not pay off here: omit it")
        elif ablated.pays_off is None:
            yield escape(f"whether {ablated.step.label} pays off is undecided")
    if any(each.latency is None for each in study.ablations):
        yield escape(
            f"not timed: this machine is not {study.target}, an arm leaves no file, or a network is so small that the "
            "runtime's calls take its time"
        )
    for how in dict.fromkeys(each.latency_how for each in study.ablations if each.latency_how):
        yield escape(f"time: {how}")
    for kind in study.intervals:
        yield escape(f"intervals: {kind}")
    if study.data:
        yield escape(f"data: the metric is computed on {study.data}")
    if study.left_out:
        yield escape(
            f"the budget had room for {len(study.seeds)} of {len(study.seeds) + len(study.left_out)} seeds: run again "
            "to go on"
        )


def format_interval(value: Interval, unit: str, *, signed: bool = False) -> str:
    """A mean and its interval for display."""
    mean = format_metric(value.mean, unit, signed=signed)
    if value.low is None or value.high is None:
        return mean
    ends = (format_metric(end, unit, signed=signed) for end in (value.low, value.high))
    return f"{mean} ({' to '.join(ends)})"
