from pathlib import Path

import onnx
import pytest

from edgekit.build import Build
from edgekit.data.split import Split
from edgekit.project.project import load_project
from edgekit.training.evaluation import file_evaluation, module_evaluation, module_metric
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


def test_a_file_with_a_fixed_batch_is_fed_in_pieces(built: Build, tmp_path: Path) -> None:
    project = load_project(built.project.root)
    path = next(run.artifact.path for run in built.targets[0].steps if run.name == "export")
    model = onnx.load(path)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    del model.graph.value_info[:]
    fixed = tmp_path / "fixed.onnx"
    onnx.save(model, fixed)
    split = Split(project, Data.EVALUATION)
    assert (
        file_evaluation(fixed, project, split, exact=True).value
        == file_evaluation(path, project, split, exact=True).value
    )
