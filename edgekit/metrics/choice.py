"""Choose a project's metric and allowed drop where it sets none."""

from collections.abc import Sequence

from edgekit.data.splits import Splits
from edgekit.errors import DataError
from edgekit.metrics.metric import comparing_score, named_metric
from edgekit.model.ports import Port
from edgekit.model.reading import ports_of
from edgekit.project.project import UNSAID, Project, is_function
from edgekit.target import Budgets, Target
from edgekit.traits import Data

_OF_CLASSES = frozenset({"accuracy", "top5", "macro-f1"})


def with_metric(project: Project, splits: Splits) -> Project:
    """The project with its metric set. For a model file without a metric: accuracy if there are labels for it, else
    similarity to the model.

    Raises ProjectError for an unknown metric, and DataError if a metric needs labels and there are none that fit.
    """
    if project.model_file is None:
        return project
    _, outputs = ports_of(project.model_file)
    split = splits[Data.EVALUATION]
    metric = _metric(outputs, split.labelled) if project.metric == UNSAID else project.metric
    judged = project.copy_with(metric=metric)
    if not split.labelled and comparing_score(judged) is None:
        raise DataError(
            f"'{split.entry}' has no labels, which the metric {judged.metric} needs",
            'give labels, or compare with the float model: metric = "cosine"',
        )
    classes = outputs[0].shape[1] if len(outputs[0].shape) == 2 else None
    if judged.metric in _OF_CLASSES and split.classes and isinstance(classes, int) and classes != len(split.classes):
        raise DataError(
            f"'{split.entry}' has {len(split.classes)} classes, but the model's output has {classes}",
            "use class indices as the names of the folders or as labels",
        )
    return judged


def budgets_for(project: Project, target: Target) -> Budgets:
    """The target's budgets, overridden by the project's. If neither limits the metric, a named metric may fall by its
    default drop; the unit of a project's own function is unknown, so it has none."""
    given = {key: value for key, value in project.budgets.to_json().items() if value is not None}
    budgets = target.budgets.copy_with(**given)
    if is_function(project.metric) or budgets.max_drop is not None or budgets.min_metric is not None:
        return budgets
    return budgets.copy_with(max_drop=named_metric(project).max_drop)


def _metric(outputs: Sequence[Port], labelled: bool) -> str:
    if labelled and len(outputs[0].shape) in (0, 2):
        return "accuracy"
    return "cosine" if any(port.dtype.startswith("float") for port in outputs) else "agreement"
