"""The metric that a model is evaluated with: a named one, or the project's own function."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgekit.arrays import Array, Outputs
from edgekit.data.trees import leaves, map_tree
from edgekit.errors import DataError, EntryPointError
from edgekit.metrics.named import NAMED, Named, Score, right_labels
from edgekit.metrics.names import check_name
from edgekit.project.entrypoints import entry_function, user_code_errors
from edgekit.project.project import Project, is_function

DEALT = 3
"""How often targets are permuted to estimate chance."""


def metric_value(project: Project, outputs: Sequence[Array], targets: Any) -> float:
    """The metric of a model's outputs over a whole split: percent for accuracy and similar metrics, else the metric's
    own unit.

    `outputs` holds one array per model output, and `targets` is a tree of arrays, both with the sample axis first.
    Raises DataError for labels out of range and for a metric that compares with a float model instead, EntryPointError
    if the project's function does not return a finite number.
    """
    if not is_function(project.metric):
        value_of = named_metric(project).value
        if value_of is None:
            raise DataError(
                f"the metric {project.metric} compares with a model file",
                "build from an ONNX file, or choose another metric",
            )
        return value_of(outputs, targets)
    function = entry_function(project.root, project.metric)
    given = outputs.with_names(project.model.outputs) if isinstance(outputs, Outputs) else outputs
    value = function(outputs[0] if len(outputs) == 1 else given, targets)
    with user_code_errors(f"'{project.metric}'"):
        number = float(value)
    if not np.isfinite(number):
        raise EntryPointError(f"'{project.metric}' gave {number}", "return a finite number; higher is better")
    return number


def named_metric(project: Project) -> Named:
    """The named metric. Raises ProjectError for an unknown name."""
    check_name(project.metric)
    return NAMED[project.metric]


def comparing_score(project: Project) -> Score | None:
    """The metric's comparison with the float model; None if the metric needs labels."""
    return None if is_function(project.metric) else named_metric(project).score


def chance_value(project: Project, outputs: Sequence[Array], targets: Any, value: float) -> float | None:
    """What the metric can reach by chance, `value` being the model's metric; None where that is unknown.

    For accuracy, the share of the most common label plus two standard errors for this number of samples. For other
    metrics, the best of three values with permuted targets; None if the order makes no difference.
    """
    count = len(next(leaves(targets)))
    if project.metric == "accuracy":
        share = float(np.bincount(targets).max()) / count
        return 100.0 * (share + 2.0 * float(np.sqrt(share * (1.0 - share) / count)))
    random = np.random.default_rng(project.seed)
    dealt_values = []
    for _ in range(DEALT):
        order = random.permutation(count)
        dealt_values.append(metric_value(project, outputs, map_tree(lambda each, order=order: each[order], targets)))
    return None if set(dealt_values) == {value} else max(dealt_values)


def item_scores(project: Project, outputs: Sequence[Array], targets: Any) -> Array | None:
    """Each sample's contribution to the metric, shape (samples,): 100 or 0 for accuracy; None for other metrics."""
    return 100.0 * right_labels(outputs, targets) if project.metric == "accuracy" else None


def unit_of(project: Project) -> str:
    """`%` for accuracy, a named metric's own unit, else the name of the metric's function."""
    return project.metric.split(":")[-1] if is_function(project.metric) else named_metric(project).unit
