"""A study: run arms with several seeds and compare them on the user's own model."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from edgekit.figures.conclusions import MARGIN, family_levels
from edgekit.figures.intervals import LEVEL, Estimate, Interval, mean_of
from edgekit.figures.ratios import LEAST_MACS
from edgekit.host import this_host
from edgekit.metrics.metric import unit_of
from edgekit.metrics.names import check_metric
from edgekit.progress import Progress
from edgekit.project.project import Project
from edgekit.studies.arms import Arms, StepOmission, Swap
from edgekit.studies.results import (
    SCHEMA,
    AloneLoss,
    Arm,
    OrderComparison,
    Stage,
    StepAblation,
    Study,
    step_record,
    subject_of,
)
from edgekit.studies.trials import Trial, difference, run_trials
from edgekit.target import Target
from edgekit.traits import Data, Fidelity, Format
from edgekit.wording import format_level

if TYPE_CHECKING:
    from edgekit.arrays import Arrays
    from edgekit.runners.turns import TurnRatios

_TIMING_S = 2.0
_FEEDS = 8


def run_study(
    project: Project,
    arms: Arms,
    seeds: Sequence[int],
    target: Target,
    progress: Progress,
    budget_s: float | None = None,
) -> Study:
    """Run the arms and compare them. Raises as `run_trials` does, and before any work for an unknown metric."""
    check_metric(project)
    subject = subject_of(project)
    if arms.preliminary and budget_s is None:
        single = run_trials(project, arms.preliminary, seeds, target, progress)
        for line in _expectations(arms, {trial.recipe.name: trial for trial in single}):
            progress.note(line)
    ran = run_trials(project, (*arms.preliminary, *arms.recipes), seeds, target, progress, budget_s)
    found = ran[len(arms.preliminary) :]
    trials = {trial.recipe.name: trial for trial in ran}
    unit = unit_of(project)
    arm_records = {trial.recipe.name: arm_of(trial, unit) for trial in found}
    swaps = _Family([difference(trials[each.arm], trials[each.other]) for each in arms.swaps])
    omissions = _Family([difference(trials[arms.whole], trials[each.arm]) for each in arms.omissions])
    return Study(
        schema=SCHEMA,
        project=project.name,
        subject=subject,
        target=target.id,
        host=this_host().cpu_name,
        data=found[0].data,
        fidelity=Fidelity.NATIVE,
        seeds=found[0].seeds,
        left_out=tuple(seeds[len(found[0].seeds) :]),
        unit=unit,
        intervals=tuple(_interval_kinds(found, swaps, omissions)),
        arms=tuple(arm_records.values()),
        alone=tuple(
            AloneLoss(step_record(each.step), each.arm, _loss(trials[each.arm], trials[each.base]))
            for each in arms.alone
        ),
        orders=tuple(
            each
            for swap, compared in zip(arms.swaps, swaps.compared, strict=True)
            for each in _order_comparisons(swap, *compared, _margin(trials[swap.arm], unit), _gap(swap, trials))
        ),
        whole=arms.whole,
        ablations=tuple(
            _ablation(
                each,
                arm_records[arms.whole],
                arm_records[each.arm],
                compared,
                _margin(trials[arms.whole], unit),
                _timed(project, trials[arms.whole], trials[each.arm], target),
            )
            for each, compared in zip(arms.omissions, omissions.compared, strict=True)
        ),
        impossible=arms.impossible,
    )


def arm_of(trial: Trial, unit: str) -> Arm:
    """A trial's steps, with their means and intervals."""
    stages = []
    for index, each in enumerate(trial.recipe.steps):
        values = tuple(trial.values_at(index))
        stages.append(Stage(step_record(each), values, _mean(values, unit) if values else None))
    return Arm(trial.recipe.name, tuple(stages), trial.bytes, trial.macs())


def _mean(values: Sequence[float], unit: str) -> Interval:
    found = mean_of(values)
    return found.within(0, 100) if unit.startswith("%") else found


class _Family:
    """Differences that are compared with zero together."""

    def __init__(self, estimates: Sequence[Estimate]) -> None:
        self.levels = family_levels(estimates)
        self.compared = [(each.interval(level), level) for each, level in zip(estimates, self.levels, strict=True)]

    @property
    def is_corrected(self) -> bool:
        """Whether several are compared, which widens their intervals."""
        return any(level > LEVEL for level in self.levels)


def _interval_kinds(trials: Sequence[Trial], swaps: _Family, omissions: _Family) -> Iterator[str]:
    """How each kind of interval in the results was computed."""
    if len(trials[0].seeds) < 2:
        yield "none with one seed, and therefore no verdicts"
        return
    yield f"arms {format_level(LEVEL)}, Student's t over the seeds"
    if not (swaps.levels or omissions.levels):
        return
    plain = "Student's t over the seeds, paired"
    if all(each.has_scores for each in trials):
        plain = (
            "paired over seeds and evaluation samples (Owen 2007, Satterthwaite), at least as wide as Student's t over "
            "the seeds"
        )
    yield f"differences {format_level(LEVEL)}, {plain}"
    for family, what in ((swaps, "orders"), (omissions, "techniques")):
        if family.is_corrected:
            yield (
                f"{len(family.levels)} {what} compared at once, each at the level beside it (Holm's procedure): with "
                f"{format_level(LEVEL)} probability none excludes zero by chance"
            )


def _margin(trial: Trial, unit: str) -> float:
    """The smallest difference that matters: a point, or a percentage of the mean where a point has no meaning."""
    return MARGIN if unit.startswith("%") else MARGIN / 100 * abs(trial.mean().mean)


def _loss(trial: Trial, base: Trial) -> Interval:
    """What a technique alone adds to the metric of the last trained step before it."""
    return mean_of([one - other for one, other in zip(trial.values, base.values, strict=True)])


def _gap(swap: Swap, trials: Mapping[str, Trial]) -> Interval | None:
    """By how much the later step of a pair loses more than the first one, each alone."""
    if swap.alone is None:
        return None
    first, then = (trials[name] for name in swap.alone)
    return difference(first, then).interval()


def _expectations(arms: Arms, trials: Mapping[str, Trial]) -> Iterator[str]:
    """What each technique lost alone, and which orders that predicts."""
    for each in arms.alone:
        yield f"{each.arm}: {_loss(trials[each.arm], trials[each.base])}"
    for swap in arms.swaps:
        gap = _gap(swap, trials)
        if gap is None:
            continue
        if gap.is_above_zero or gap.is_below_zero:
            gentler = swap.arm if gap.is_above_zero else swap.other
            yield f"expected to be better, because the gentler step comes first: {gentler} (gap {gap})"
        else:
            yield f"no expectation for {swap.arm}: which step is gentler is undecided (gap {gap})"


def _order_comparisons(
    swap: Swap, points: Interval, level: float, margin: float, gap: Interval | None
) -> list[OrderComparison]:
    """Both orders, each compared with the other."""
    turned, turned_gap = _reversed(points), None if gap is None else _reversed(gap)
    first, then = step_record(swap.first), step_record(swap.then)
    return [
        OrderComparison(first, then, swap.arm, swap.other, points, level, margin, gap),
        OrderComparison(then, first, swap.other, swap.arm, turned, level, margin, turned_gap),
    ]


def _ablation(
    omission: StepOmission,
    whole: Arm,
    without: Arm,
    compared: tuple[Interval, float],
    margin: float,
    timed: "TurnRatios | None",
) -> StepAblation:
    """The whole recipe compared with the arm that omits a step."""
    points, level = compared
    return StepAblation(
        step=step_record(omission.step),
        arm=omission.arm,
        points=points,
        level=level,
        margin=margin,
        bytes_with=whole.bytes,
        bytes_without=without.bytes,
        macs_with=whole.macs,
        macs_without=without.macs,
        latency=timed.ratios[0] if timed else None,
        latency_how=timed.how if timed else "",
    )


def _reversed(points: Interval) -> Interval:
    """The interval of the difference with the opposite sign."""
    if points.low is None or points.high is None:
        return Interval(-points.mean, None, None)
    return Interval(-points.mean, -points.high, -points.low)


def _timed(project: Project, one: Trial, other: Trial, target: Target) -> "TurnRatios | None":
    """The ratio of one trial's time to the other's, measured in turns with the first seed's files; None if this is not
    the target, and for a network so small that its time is that of the runtime's calls."""
    files = [trial.runs[0][-1].artifact for trial in (one, other)]
    if not target.is_this(this_host()) or any(each.format is not Format.ONNX for each in files):
        return None
    from edgekit.model.inspection import inspect_model

    if any((inspect_model(each.path).macs or LEAST_MACS) < LEAST_MACS for each in files):
        return None
    from edgekit.runners.native import NativeRunner
    from edgekit.runners.runner import Job
    from edgekit.runners.turns import turn_ratios

    result = NativeRunner().run(Job([each.path for each in reversed(files)], _feeds(project), seconds=_TIMING_S))
    return turn_ratios(result, 1)


def _feeds(project: Project) -> "Arrays":
    from edgekit.data.splits import Splits

    batch = next(iter(Splits(project)[Data.EVALUATION].batches(limit=_FEEDS)))
    return tuple(each[:_FEEDS, None] for each in batch.inputs)
