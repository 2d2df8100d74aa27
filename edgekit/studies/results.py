"""What a study found, as it is written and read again."""

from typing import Any

import msgspec

from edgekit.figures.intervals import Interval
from edgekit.figures.ratios import Ratio
from edgekit.planning.interactions import PairVerdict
from edgekit.planning.recipe import RecipeStep
from edgekit.project.project import Project
from edgekit.records import Record, schema_of
from edgekit.traits import Data, Role

SCHEMA = 1
LOSS = 1.0
"""Points that make a measured loss poor, an error; for a metric that is no accuracy, as many per cent of its mean."""


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
    """The metric for each seed; empty where the step leaves nothing trained."""
    metric: Interval | None


class Arm(Record, frozen=True):
    """A recipe that was run with every seed."""

    name: str
    stages: tuple[Stage, ...]
    bytes: int
    """Of the file that the last step left, the median over the seeds."""


class OrderComparison(Record, frozen=True):
    """Two steps in one order against the other, at the same compression; a pair that was measured stands twice, once
    for each order."""

    first: StepRecord
    then: StepRecord
    arm: str
    """The one that has them in this order."""
    other: str
    points: Interval
    """By which this order is better, in the metric's unit."""
    verdict: PairVerdict


class StepAblation(Record, frozen=True):
    """A recipe with and without one step."""

    step: StepRecord
    arm: str
    """The one without it."""
    points: Interval
    """What the step adds to the metric."""
    bytes_with: int
    bytes_without: int
    latency: Ratio | None
    """With over without, native, interleaved; None where this machine is not the target."""

    @property
    def is_worth_it(self) -> bool:
        """Whether the metric or the file is better by the step, or the model faster."""
        is_faster = self.latency is not None and self.latency.high < 1
        return self.points.is_above_zero or self.bytes_with < self.bytes_without or is_faster


class Study(Record, frozen=True):
    schema: int
    project: str
    subject: dict[str, str]
    """The digests of the models and of the data, and the metric's name."""
    target: str
    host: str
    data: str
    """What the data that judges says of itself: that it is made up, for instance."""
    fidelity: str
    """`native`: every metric was taken on this machine."""
    seeds: tuple[int, ...]
    """Those with which every arm was run."""
    left_out: tuple[int, ...]
    """Those that the budget of time had no room for."""
    unit: str
    interval: str
    """What the intervals are."""
    arms: tuple[Arm, ...]
    orders: tuple[OrderComparison, ...]
    whole: str
    """The arm that steps were left out of."""
    ablations: tuple[StepAblation, ...]
    impossible: tuple[str, ...]
    """What was asked for and cannot be run, and why."""


def study_json(study: Study) -> str:
    """The results as one JSON object, as `load_study` reads them; `study_schema` describes it."""
    return msgspec.json.format(msgspec.json.encode(study), indent=1).decode() + "\n"


def study_schema() -> dict[str, Any]:
    """The JSON schema of the results."""
    return schema_of(Study)


def subject_of(project: Project) -> dict[str, str]:
    """What a study is about: the digests of the models and of the data that teaches and judges them."""
    entries = {role.value: project.model_entry(role) for role in sorted(project.roles)}
    entries |= {split.value: project.data_entry(split) for split in (Data.TRAIN, Data.EVALUATION)}
    values = {name: project.entry_digest(entry) for name, entry in entries.items() if entry}
    files = project.declared_data_digest()
    return {**values, **({"data_files": files} if files else {}), "metric": project.metric}


def verdict_of(points: Interval, unit: str, scale: float) -> PairVerdict:
    """Poor where the whole interval is below zero and the loss is large; good where it is above; else moderate.

    `scale` is the metric's mean, for units in which a point means nothing.
    """
    loss = LOSS if unit.startswith("%") else LOSS / 100 * abs(scale)
    if points.is_below_zero and points.mean <= -loss:
        return PairVerdict.POOR
    return PairVerdict.GOOD if points.is_above_zero else PairVerdict.MODERATE
