from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.data.splits import Splits
from edgekit.errors import DataError, ProjectError
from edgekit.metrics.choice import budgets_for, with_metric
from edgekit.project.project import Project
from edgekit.target import Budgets, Target
from edgekit.target_files import find_target
from tests.conftest import FileProject


def samples(folder: Path, labels: Any = None, *shape: int) -> None:
    arrays = {"x": np.ones((10, *(shape or (4,))), np.float32)}
    np.savez(folder / "samples.npz", **arrays, **({} if labels is None else {"labels": labels}))


def limited(budgets: Budgets) -> Target:
    return find_target("rpi4").copy_with(budgets=budgets)


def allowed(project: Project, budgets: Budgets | None = None) -> float | None:
    """The drop that the project and a target's budgets allow."""
    return budgets_for(project, limited(budgets or Budgets())).max_drop


@pytest.fixture
def judged(file_project: FileProject) -> Any:
    def made(*shape: int | str, **changes: Any) -> Project:
        project = file_project({"x": ("batch", *(shape or (4,)))}, calibration="samples.npz").copy_with(**changes)
        return with_metric(project, Splits(project))

    return made


def test_with_labels_it_is_accuracy_and_one_point(tmp_path: Path, judged: Any) -> None:
    samples(tmp_path, np.arange(10) % 4)
    assert judged().metric == "accuracy" and allowed(judged()) == 1.0


def test_without_it_is_similarity(tmp_path: Path, judged: Any) -> None:
    samples(tmp_path)
    assert judged().metric == "cosine" and allowed(judged()) == 0.01
    assert allowed(judged(metric="agreement")) == 2.0


def test_labels_that_no_accuracy_can_be_taken_of(tmp_path: Path, judged: Any) -> None:
    samples(tmp_path, np.arange(10), 4, 4)
    assert judged(4, 4).metric == "cosine"


def test_what_a_project_says_stands(tmp_path: Path, judged: Any) -> None:
    samples(tmp_path, np.arange(10) % 4)
    assert judged(metric="top5").metric == "top5"
    assert allowed(judged(budgets=Budgets(max_drop=3))) == 3
    assert allowed(judged(budgets=Budgets(min_metric=90))) is None
    assert allowed(judged(metric="score:own")) is None


def test_a_target_may_limit_the_drop_too(tmp_path: Path, judged: Any) -> None:
    samples(tmp_path, np.arange(10) % 4)
    assert allowed(judged(), Budgets(max_drop=0.5)) == 0.5, "the default does not replace it"
    assert allowed(judged(), Budgets(min_metric=50)) is None
    both = budgets_for(judged(budgets=Budgets(max_drop=1.0)), limited(Budgets(max_bytes=5, max_drop=2.0)))
    assert (both.max_bytes, both.max_drop) == (5, 1.0), "the project's own comes first"


def test_a_project_of_modules_has_the_same_default(tiny: Project) -> None:
    assert allowed(tiny.copy_with(budgets=Budgets())) == 1.0


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
