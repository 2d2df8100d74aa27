import pytest

from edgekit.builds.result import Build
from edgekit.data.split import Split
from edgekit.metrics.evaluation import file_evaluation
from edgekit.training.evaluation import module_evaluation, module_metric
from edgekit.training.modules import saved_module
from edgekit.traits import Data


def test_a_module_and_its_export_have_the_same_metric(built: Build) -> None:
    project = built.project
    runs = {run.name: run.artifact for run in built.targets[0].steps if run.role == "student"}
    module = saved_module(project, runs["prune"])
    split = Split(project, Data.EVALUATION)
    judged = module_evaluation(module, project, split)
    exported = file_evaluation(runs["export"].path, project, split, exact=False)
    assert judged.value == exported.value == module_metric(module, project, split)
    assert judged.scores is not None and exported.scores is not None
    assert (judged.scores == exported.scores).all() and judged.scores.mean() == pytest.approx(judged.value)
