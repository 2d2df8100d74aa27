"""The figure that a search goes by: on calibration samples, for the evaluation split is held back from every step."""

from dataclasses import dataclass
from pathlib import Path

from edgekit.data.split import Split
from edgekit.metrics.evaluation import file_evaluation, file_outputs
from edgekit.metrics.metric import comparing_score
from edgekit.metrics.named import NAMED, Sampled
from edgekit.project.project import UNSAID, Project, is_function


@dataclass(frozen=True)
class CalibrationMetric:
    """The project's metric over its calibration samples; where that takes labels and they have none, or
    is not said, cosine."""

    project: Project
    split: Split
    reference: Sampled | None
    """What the float model gives, sample by sample, where the metric compares with that."""
    floating: float
    """The float model's own figure."""
    allowed: float
    """How far another may fall below that."""

    @staticmethod
    def of(project: Project, split: Split, path: Path) -> "CalibrationMetric":
        """With the float model at `path`."""
        unsaid = project.metric == UNSAID
        if unsaid or (not split.labelled and (is_function(project.metric) or comparing_score(project) is None)):
            project = project.copy_with(metric="cosine", budgets=project.budgets.copy_with(max_drop=None))
        allowed = project.budgets.max_drop
        if allowed is None:
            allowed = 0.0 if is_function(project.metric) else NAMED[project.metric].max_drop
        score = comparing_score(project)
        if score is None:
            value = file_evaluation(path, project, split, exact=True).value
            return CalibrationMetric(project, split, None, value, allowed)
        reference = file_outputs(path, split, exact=True)
        return CalibrationMetric(project, split, reference, score(reference, reference), allowed)

    @property
    def name(self) -> str:
        return self.project.metric

    def value(self, path: Path) -> float:
        """Of a file, higher is better. Raises EntryPointError where the project's own function gives no number."""
        return file_evaluation(path, self.project, self.split, exact=True, reference=self.reference).value
