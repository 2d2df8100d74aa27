from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from edgekit.arrays import Array
from edgekit.data.split import Split
from edgekit.errors import StepError
from edgekit.project.project import Project, load_project
from edgekit.steps.export import Export
from edgekit.steps.qat import Qat
from edgekit.steps.quantize import Quantize
from edgekit.steps.simplify import Simplify
from edgekit.steps.step import Outcome
from edgekit.steps.train import Train
from edgekit.training.batches import tensor_example
from edgekit.training.held import weights_of
from edgekit.training.modules import saved_module
from edgekit.traits import Data
from tests.conftest import MakeProject
from tests.steps.conftest import artifact


def test_its_weights_are_those_that_quantize_stores(run_step: Callable[..., Outcome], tiny: Project) -> None:
    done = run_step(Qat(epochs=2), tiny, run_step(Train(epochs=3), tiny).path)
    module = saved_module(tiny, artifact(done.path))
    for weight in weights_of(module).values():
        assert all(len(row.unique()) <= 255 for row in weight)
    plain = run_step(Simplify(), tiny, run_step(Export(), tiny, done.path).path)
    integers = run_step(Quantize(), tiny, plain.path, "x86-vnni")
    example = tensor_example(Split(tiny, Data.EVALUATION))
    expected = module(*example.inputs).detach().numpy()
    given = unfused_outputs(integers.path, [each.numpy() for each in example.inputs])
    assert np.abs(given - expected).max() < 0.05 * np.abs(expected).max()


def unfused_outputs(path: Path, inputs: list[Array]) -> Array:
    """The outputs with every operator run in float between its roundings: integer kernels saturate on x86 without VNNI,
    so that they would make the test hang on the machine."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    running = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
    names = [each.name for each in running.get_inputs()]
    outputs: list[Array] = running.run(None, dict(zip(names, inputs, strict=True)))
    return outputs[0]


def test_batch_norms_are_folded_before_training(run_step: Callable[..., Outcome], tiny: Project) -> None:
    done = run_step(Qat(epochs=1), tiny, run_step(Train(epochs=1), tiny).path)
    norm = saved_module(tiny, artifact(done.path)).get_submodule("first.1")
    assert torch.equal(norm.running_var, torch.ones(16)), "its statistics are frozen"


def test_what_cannot_be_folded_is_told(run_step: Callable[..., Outcome], make_project: MakeProject) -> None:
    folder = make_project()
    code = (folder / "model.py").read_text()
    (folder / "model.py").write_text(
        code.replace("features = self.first(image)", "raw = self.first[0](image); features = self.first[1](raw) + raw")
    )
    project = load_project(folder)
    trained = run_step(Train(epochs=2), project)
    with pytest.raises(StepError) as caught:
        run_step(Qat(epochs=1), project, trained.path)
    assert "use the step quantize without qat" in (caught.value.hint or "")
