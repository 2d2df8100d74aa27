from pathlib import Path

import onnx
import pytest

from edgekit.builds.result import Build
from edgekit.data.split import Split
from edgekit.metrics.evaluation import file_evaluation
from edgekit.project.project import load_project
from edgekit.traits import Data


@pytest.mark.parametrize("size", [1, 5, 64])
def test_a_file_with_a_fixed_batch_is_fed_in_runs_of_that_size(built: Build, tmp_path: Path, size: int) -> None:
    project = load_project(built.project.root)
    path = next(run.artifact.path for run in built.targets[0].steps if run.name == "export")
    model = onnx.load(path)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = size
    del model.graph.value_info[:]
    fixed = tmp_path / "fixed.onnx"
    onnx.save(model, fixed)
    split = Split(project, Data.EVALUATION)
    whole, pieces = (file_evaluation(each, project, split, exact=True) for each in (path, fixed))
    assert whole.scores is not None and pieces.scores is not None
    assert pieces.value == whole.value and (pieces.scores == whole.scores).all()
