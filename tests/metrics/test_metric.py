from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgekit.arrays import Outputs
from edgekit.errors import DataError, EdgekitError, EntryPointError, ProjectError
from edgekit.metrics.metric import chance_value, metric_value, unit_of
from edgekit.project.project import Project, load_project

LOGITS = np.array([[0.0, 1.0], [2.0, 1.0], [0.0, 3.0], [1.0, 0.0]])


def test_accuracy_is_the_share_of_right_labels_in_per_cent(tiny: Project) -> None:
    assert metric_value(tiny, (LOGITS,), np.array([1, 0, 1, 1])) == 75.0
    assert unit_of(tiny) == "%"


def test_a_projects_own_metric_is_called(make_project: Callable[..., Path]) -> None:
    folder = make_project({'name = "tiny"': 'name = "tiny"\nmetric = "score:negative_error"'})
    (folder / "score.py").write_text(
        "def negative_error(outputs, targets):\n    return -abs(outputs - targets).max()\n"
    )
    project = load_project(folder)
    assert metric_value(project, (np.array([1.0, 2.0]),), np.array([1.0, 2.5])) == -0.5
    assert unit_of(project) == "negative_error"


def test_several_outputs_reach_the_metric_as_a_tuple(make_project: Callable[..., Path]) -> None:
    folder = make_project({'name = "tiny"': 'name = "tiny"\nmetric = "score:count"'})
    (folder / "score.py").write_text("def count(outputs, targets):\n    return len(outputs)\n")
    assert metric_value(load_project(folder), Outputs([LOGITS, LOGITS], ["a", "b"]), None) == 2.0


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("return float('nan')", EntryPointError),
        ("return 'good'", EntryPointError),
        ("raise KeyError('k')", EntryPointError),
    ],
)
def test_a_metric_that_gives_no_number_is_reported(
    make_project: Callable[..., Path], body: str, kind: type[EdgekitError]
) -> None:
    folder = make_project({'name = "tiny"': 'name = "tiny"\nmetric = "score:f"'})
    (folder / "score.py").write_text(f"def f(outputs, targets):\n    {body}\n")
    with pytest.raises(kind):
        metric_value(load_project(folder), (LOGITS,), None)


def test_wrong_shapes_labels_and_names_are_reported(tiny: Project) -> None:
    with pytest.raises(DataError, match="label of the evaluation split"):
        metric_value(tiny, (LOGITS,), np.array([0, 1, 2, 0]))
    with pytest.raises(DataError, match="accuracy takes logits"):
        metric_value(tiny, (LOGITS[:, 0],), np.array([0, 1, 1, 0]))
    with pytest.raises(ProjectError, match="no metric 'f1'"):
        metric_value(tiny.copy_with(metric="f1"), (LOGITS,), np.array([0]))
    with pytest.raises(DataError, match="cosine compares with a model file"):
        metric_value(tiny.copy_with(metric="cosine"), (LOGITS,), np.array([0, 1, 1, 0]))


def test_chance_is_the_commonest_label_and_the_luck_of_few_samples(tiny: Project) -> None:
    labels = np.array([0] * 60 + [1] * 40)
    logits = np.zeros((100, 2))
    assert chance_value(tiny, (logits,), labels, 60.0) == pytest.approx(60 + 2 * np.sqrt(0.6 * 0.4 / 100) * 100)
    assert chance_value(tiny, (logits,), np.zeros(100, int), 100.0) == 100.0


def test_chance_of_a_projects_own_metric_is_what_dealt_targets_reach(make_project: Callable[..., Path]) -> None:
    folder = make_project({'name = "tiny"': 'name = "tiny"\nmetric = "score:likeness"'})
    (folder / "score.py").write_text(
        "def likeness(outputs, targets):\n"
        "    first = targets[0] if isinstance(targets, tuple) else targets\n"
        "    return -abs(outputs - first).mean()\n"
    )
    project = load_project(folder)
    known = np.linspace(0, 1, 50)
    for targets in (known, (known, known)):
        value = metric_value(project, (known,), targets)
        chance = chance_value(project, (known,), targets, value)
        assert chance is not None and value == 0.0 > chance
    same = np.ones(50)
    value = metric_value(project, (known,), same)
    assert chance_value(project, (known,), same, value) is None, "any order is the same"
