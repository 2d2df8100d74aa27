"""The results of a study, as they are written and read."""

from typing import Any

import msgspec

from edgekit.figures.conclusions import Conclusion, conclusion_on, is_large_loss
from edgekit.figures.intervals import Interval
from edgekit.figures.ratios import Ratio
from edgekit.planning.interactions import PairVerdict
from edgekit.planning.recipe import RecipeStep
from edgekit.project.project import Project
from edgekit.records import Record, schema_of
from edgekit.traits import Data, Role

SCHEMA = 2
_LESS = 0.99
"""The largest ratio of bytes, of multiply-accumulates or of times that counts as less."""


class StepRecord(Record, frozen=True):
    use: str
    role: Role
    options: dict[str, Any]

    @property
    def label(self) -> str:
        return self.use if self.role is Role.STUDENT else f"{self.use} {self.role}"


def step_record(each: RecipeStep) -> StepRecord:
    """A step of a recipe with every option."""
    return StepRecord(each.step.name(), each.role, each.step.options())


class Stage(Record, frozen=True):
    """The model after a step."""

    step: StepRecord
    values: tuple[float, ...]
    """The metric for each seed; empty if the step's model is not trained."""
    metric: Interval | None


class Arm(Record, frozen=True):
    """A recipe that was run with every seed."""

    name: str
    stages: tuple[Stage, ...]
    bytes: int
    """The size of the last step's file, the median over seeds."""
    macs: int | None = None
    """The multiply-accumulates of the first seed's file; None if it is not a file or they are unknown."""


class AloneLoss(Record, frozen=True):
    """A technique without the others."""

    step: StepRecord
    arm: str
    points: Interval
    """What it adds to the metric: below zero, what it loses. 95 %, Student's t over the seeds, paired."""


class OrderComparison(Record, frozen=True):
    """Two steps in one order compared with the other, at the same compression. A measured pair has two entries, one per
    order."""

    first: StepRecord
    then: StepRecord
    arm: str
    """The arm with this order."""
    other: str
    points: Interval
    """The advantage of this order, in the metric's unit."""
    level: float
    """The level of the interval: 95 % for a single comparison, more where Holm's procedure covers several."""
    margin: float
    """The smallest difference that matters, in the metric's unit."""
    gap: Interval | None = None
    """By how much the later step loses more than the first one, each alone, 95 %; None if that is not known. The
    larger it is, the more this order is expected to gain: the gentler step comes first."""

    @property
    def expected(self) -> Conclusion | None:
        """What the gap predicts for this order; None if it is not known or includes zero."""
        if self.gap is None:
            return None
        return Conclusion.BETTER if self.gap.is_above_zero else Conclusion.WORSE if self.gap.is_below_zero else None

    @property
    def conclusion(self) -> Conclusion:
        return conclusion_on(self.points, self.margin)

    @property
    def verdict(self) -> PairVerdict | None:
        """The verdict on the order; None where the measurement is undecided."""
        return verdict_of(self.points, self.margin)


class StepAblation(Record, frozen=True):
    """A recipe with and without one step."""

    step: StepRecord
    arm: str
    """The arm without it."""
    points: Interval
    """What the step adds to the metric."""
    level: float
    """As for an order."""
    margin: float
    bytes_with: int
    bytes_without: int
    macs_with: int | None
    macs_without: int | None
    latency: Ratio | None
    """The ratio of the time with it to that without, native, measured in turns; None if this machine is not the
    target."""
    latency_how: str = ""
    """What the ratio compares, if that is not the latency: CPU times on a disturbed machine."""

    @property
    def conclusion(self) -> Conclusion:
        """The conclusion on the metric."""
        return conclusion_on(self.points, self.margin)

    @property
    def pays_off(self) -> bool | None:
        """Whether the step improves the metric, the size or the time. None if that is undecided: the metric's interval
        allows a gain that matters, or neither the time nor the multiply-accumulates are known."""
        if self.conclusion is Conclusion.BETTER or self.bytes_with <= _LESS * self.bytes_without:
            return True
        is_faster = self._is_faster()
        if is_faster or self.conclusion is Conclusion.UNDECIDED:
            return is_faster or None
        return is_faster

    def _is_faster(self) -> bool | None:
        """Whether the file runs faster with the step: by the measured time, else by the multiply-accumulates; None if
        that is unknown."""
        if self.latency is not None:
            return True if self.latency.high < 1 else False if self.latency.low >= _LESS else None
        if self.macs_with is None or self.macs_without is None:
            return None
        return self.macs_with <= _LESS * self.macs_without


class Study(Record, frozen=True):
    schema: int
    project: str
    subject: dict[str, str]
    """The digests of the models and the data, and the metric's name."""
    target: str
    host: str
    data: str
    """A remark on the evaluation data, for example that it is synthetic."""
    fidelity: str
    """`native`: every metric was computed on this machine."""
    seeds: tuple[int, ...]
    """The seeds with which every arm was run."""
    left_out: tuple[int, ...]
    """The seeds that did not fit into the time budget."""
    unit: str
    intervals: tuple[str, ...]
    """How each kind of interval was computed, as sentences."""
    arms: tuple[Arm, ...]
    alone: tuple[AloneLoss, ...]
    """What each technique loses without the others, measured before the orders."""
    orders: tuple[OrderComparison, ...]
    whole: str
    """The complete arm, of which steps were omitted."""
    ablations: tuple[StepAblation, ...]
    impossible: tuple[str, ...]
    """What was requested and cannot be run, with the reason."""


def study_json(study: Study) -> str:
    """The results as one JSON object for `load_study`; `study_schema` describes it."""
    return msgspec.json.format(msgspec.json.encode(study), indent=1).decode() + "\n"


def study_schema() -> dict[str, Any]:
    """The JSON schema of the results."""
    return schema_of(Study)


def subject_of(project: Project) -> dict[str, str]:
    """The subject of a study: the digests of the models and of the data for training and evaluation."""
    entries = {role.value: project.model_entry(role) for role in sorted(project.roles)}
    entries |= {split.value: project.data_entry(split) for split in (Data.TRAIN, Data.EVALUATION)}
    values = {name: project.entry_digest(entry) for name, entry in entries.items() if entry}
    files = project.declared_data_digest()
    return {**values, **({"data_files": files} if files else {}), "metric": project.metric}


def verdict_of(points: Interval, margin: float) -> PairVerdict | None:
    """The verdict on an order from its advantage over the other one: good if the whole interval is above zero, poor if
    it is below the margin, moderate if the orders are equivalent or the loss may be smaller than the margin; None if
    the measurement is undecided."""
    if is_large_loss(points, margin):
        return PairVerdict.POOR
    return {
        Conclusion.BETTER: PairVerdict.GOOD,
        Conclusion.WORSE: PairVerdict.MODERATE,
        Conclusion.EQUIVALENT: PairVerdict.MODERATE,
        Conclusion.UNDECIDED: None,
    }[conclusion_on(points, margin)]
