import onnx

from edgekit.build import Build
from edgekit.project import load_project
from edgekit.training.evaluation import file_metric, module_metric
from edgekit.training.modules import saved_module


def test_a_module_and_its_export_have_the_same_metric(built: Build) -> None:
    project = built.project
    runs = {run.name: run.artifact for run in built.targets[0].steps if run.role == "student"}
    module = saved_module(project, runs["prune"])
    assert module_metric(module, project) == file_metric(runs["export"].path, project)


def test_a_file_with_a_fixed_batch_is_fed_in_pieces(built: Build, tmp_path: object) -> None:
    project = load_project(built.project.root)
    path = next(run.artifact.path for run in built.targets[0].steps if run.name == "export")
    model = onnx.load(path)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    del model.graph.value_info[:]
    fixed = f"{tmp_path}/fixed.onnx"
    onnx.save(model, fixed)
    from pathlib import Path

    assert file_metric(Path(fixed), project) == file_metric(path, project)
