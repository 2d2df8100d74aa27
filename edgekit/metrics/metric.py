"""The figure that a model is judged by: accuracy, or the project's own function."""

from typing import Any

import numpy as np

from edgekit.arrays import Array, Outputs
from edgekit.data.trees import leaves, mapped
from edgekit.errors import DataError, EntryPointError, ProjectError
from edgekit.project.entrypoints import blamed, entry_function
from edgekit.project.project import Project

_DEALT = 3


def metric_value(project: Project, outputs: Outputs[Array], targets: Any) -> float:
    """The metric of a model's outputs over a whole split: per cent for accuracy, else the metric's own unit.

    `outputs` holds one array for each of the model's outputs; `targets` is a tree of arrays. Raises
    DataError for labels out of range and EntryPointError when the project's function gives no finite number.
    """
    if project.metric == "accuracy":
        return _accuracy(outputs[0], targets)
    if ":" not in project.metric:
        raise ProjectError(f"no metric '{project.metric}'", 'use metric = "accuracy" or metric = "module:function"')
    function = entry_function(project.root, project.metric)
    value = function(outputs[0] if len(outputs) == 1 else outputs.renamed(project.model.outputs), targets)
    with blamed(f"'{project.metric}'"):
        number = float(value)
    if not np.isfinite(number):
        raise EntryPointError(f"'{project.metric}' gave {number}", "return a finite number, higher is better")
    return number


def chance_value(project: Project, outputs: Outputs[Array], targets: Any, value: float) -> float | None:
    """What a model that knows nothing of its input may reach, `value` being the metric; None where that cannot be told.

    For accuracy, always the commonest label, and two standard errors of this many samples. For a project's own
    function, the best of three values with the targets dealt out in another order; None where the order makes no
    difference to it.
    """
    count = len(next(leaves(targets)))
    if project.metric == "accuracy":
        share = float(np.bincount(targets).max()) / count
        return 100.0 * (share + 2.0 * float(np.sqrt(share * (1.0 - share) / count)))
    random = np.random.default_rng(project.seed)
    dealt_values = []
    for _ in range(_DEALT):
        order = random.permutation(count)
        dealt_values.append(metric_value(project, outputs, mapped(lambda each, order=order: each[order], targets)))
    return None if set(dealt_values) == {value} else max(dealt_values)


def item_scores(project: Project, outputs: Outputs[Array], targets: Any) -> Array | None:
    """Each sample's share in the metric, shape (samples,): 100 or 0 for accuracy; None for a project's own function,
    which is not a mean over samples."""
    if project.metric != "accuracy":
        return None
    _accuracy(outputs[0], targets)
    scores: Array = 100.0 * (outputs[0].argmax(1) == targets)
    return scores


def unit_of(project: Project) -> str:
    """`%` for accuracy, else the name of the metric's function."""
    return "%" if project.metric == "accuracy" else project.metric.split(":")[-1]


def _accuracy(logits: Array, labels: Array) -> float:
    if logits.ndim != 2 or not isinstance(labels, np.ndarray) or labels.ndim != 1:
        raise DataError(
            f"accuracy takes logits (batch, classes) and labels (batch,); the first output is {logits.shape}",
            'for another task name a metric: metric = "module:function"',
        )
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise DataError(
            f"a label of the evaluation split lies outside 0 to {logits.shape[1] - 1}",
            "correct the labels or the model",
        )
    return 100.0 * float((logits.argmax(1) == labels).mean())
