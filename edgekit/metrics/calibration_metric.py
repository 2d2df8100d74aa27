"""The metric that guides a search. It uses calibration samples, because the evaluation split is withheld from every
step."""

from dataclasses import dataclass
from pathlib import Path

from edgekit.data.split import Split
from edgekit.metrics.evaluation import file_evaluation, file_outputs
from edgekit.metrics.metric import comparing_score
from edgekit.metrics.named import NAMED, Sampled
from edgekit.project.project import UNSAID, Project, is_function


@dataclass(frozen=True)
class CalibrationMetric:
    """The project's metric over its calibration samples. Cosine, if the metric needs labels and they have none, or if
    no metric is set."""

    project: Project
    split: Split
    reference: Sampled | None
    """The float model's outputs, sample by sample, if the metric compares with them."""
    floating: float
    """The float model's own value."""
    allowed: float
    """The allowed drop from that."""

    @staticmethod
    def of(project: Project, split: Split, path: Path) -> "CalibrationMetric":
        """The metric with the float model at `path`."""
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
        """The metric of a file; higher is better. Raises EntryPointError if the project's own function returns no
        number."""
        return file_evaluation(path, self.project, self.split, exact=True, reference=self.reference).value
