from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.data.splits import Splits
from edgekit.errors import DataError, ProjectError
from edgekit.metrics.choice import with_metric
from edgekit.project.project import Project
from edgekit.target import Budgets
from tests.conftest import FileProject


def samples(folder: Path, labels: Any = None, *shape: int) -> None:
    arrays = {"x": np.ones((10, *(shape or (4,))), np.float32)}
    np.savez(folder / "samples.npz", **arrays, **({} if labels is None else {"labels": labels}))


@pytest.fixture
def judged(file_project: FileProject) -> Any:
    def made(*shape: int | str, **changes: Any) -> Project:
        project = file_project({"x": ("batch", *(shape or (4,)))}, calibration="samples.npz").copy_with(**changes)
        return with_metric(project, Splits(project))

    return made


def test_with_labels_it_is_accuracy_and_one_point(tmp_path: Path, judged: Any) -> None:
    samples(tmp_path, np.arange(10) % 4)
    found = judged()
    assert (found.metric, found.budgets.max_drop) == ("accuracy", 1.0)


def test_without_it_is_similarity(tmp_path: Path, judged: Any) -> None:
    samples(tmp_path)
    found = judged()
    assert (found.metric, found.budgets.max_drop) == ("cosine", 0.01)
    assert judged(metric="agreement").budgets.max_drop == 2.0


def test_labels_that_no_accuracy_can_be_taken_of(tmp_path: Path, judged: Any) -> None:
    samples(tmp_path, np.arange(10), 4, 4)
    assert judged(4, 4).metric == "cosine"


def test_what_a_project_says_stands(tmp_path: Path, judged: Any) -> None:
    samples(tmp_path, np.arange(10) % 4)
    assert judged(metric="top5").metric == "top5"
    assert judged(budgets=Budgets(max_drop=3)).budgets.max_drop == 3
    assert judged(budgets=Budgets(min_metric=90)).budgets.max_drop is None
    assert judged(metric="score:own").budgets.max_drop is None


def test_metrics_that_cannot_be_taken(tmp_path: Path, judged: Any) -> None:
    samples(tmp_path)
    for metric in ("accuracy", "score:own"):
        with pytest.raises(DataError, match=f"'samples.npz' has no labels, which the metric {metric} needs"):
            judged(metric=metric)
    with pytest.raises(ProjectError, match="no metric 'cosin'") as raised:
        judged(metric="cosin")
    assert "did you mean 'cosine'?" in raised.value.hint


def test_classes_of_another_model(tmp_path: Path, file_project: FileProject) -> None:
    for name in "abc":
        (tmp_path / "samples" / name).mkdir(parents=True)
        for number in range(3):
            np.save(tmp_path / "samples" / name / f"{number}.npy", np.ones(4, np.float32))
    project = file_project({"x": ("batch", 4)})
    with pytest.raises(DataError, match="'samples' has 3 classes, but the model's output has 4"):
        with_metric(project, Splits(project))
    assert with_metric(project.copy_with(metric="cosine"), Splits(project)).metric == "cosine"
