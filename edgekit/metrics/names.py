"""The names of metrics, checked without loading what computes them."""

from edgekit.errors import ProjectError, did_you_mean
from edgekit.project.project import UNSAID, Project, is_function

LABELLED = ("accuracy", "macro-f1", "mean-iou", "top5")
"""Metrics that need labels."""
COMPARING = ("agreement", "cosine")
"""Metrics that compare with the float model that a project starts from."""


def check_metric(project: Project) -> None:
    """Raises ProjectError for an unknown metric, and for one that compares with the float file of a project that has
    modules instead."""
    if is_function(project.metric) or project.metric == UNSAID:
        return
    check_name(project.metric)
    if project.metric in COMPARING and project.model_file is None:
        raise ProjectError(
            f"the metric {project.metric} compares with a model file, but the project has modules",
            'choose one that needs labels, such as accuracy, or your own: metric = "module:function"',
        )


def check_name(name: str) -> None:
    """Raises ProjectError if there is no metric of this name."""
    known = sorted((*LABELLED, *COMPARING))
    if name not in known:
        raise ProjectError(
            f"there is no metric '{name}'", f'{did_you_mean(name, known)} (or your own: metric = "module:function")'
        )
