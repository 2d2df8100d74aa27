"""The results of a study, as they are written and read."""

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
"""The loss in points that makes a verdict poor, which is an error; for a metric other than accuracy, in percent of its
mean."""


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
    verdict: PairVerdict


class StepAblation(Record, frozen=True):
    """A recipe with and without one step."""

    step: StepRecord
    arm: str
    """The arm without it."""
    points: Interval
    """What the step adds to the metric."""
    bytes_with: int
    bytes_without: int
    latency: Ratio | None
    """The ratio of the time with it to that without, native, measured in turns; None if this machine is not the
    target."""
    latency_how: str = ""
    """What the ratio compares, if that is not the latency: CPU times on a disturbed machine."""

    @property
    def is_worth_it(self) -> bool:
        """Whether the step improves the metric, the file size or the time."""
        is_faster = self.latency is not None and self.latency.high < 1
        return self.points.is_above_zero or self.bytes_with < self.bytes_without or is_faster


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
    interval: str
    """The kind of intervals."""
    arms: tuple[Arm, ...]
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


def verdict_of(points: Interval, unit: str, scale: float) -> PairVerdict:
    """Poor if the whole interval is below zero and the loss is large; good if it is above zero; else moderate.

    `scale` is the metric's mean, for units in which a point has no meaning.
    """
    loss = LOSS if unit.startswith("%") else LOSS / 100 * abs(scale)
    if points.is_below_zero and points.mean <= -loss:
        return PairVerdict.POOR
    return PairVerdict.GOOD if points.is_above_zero else PairVerdict.MODERATE
