from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import numpy_helper

from edgekit.arrays import Array
from edgekit.contract.step import Outcome
from edgekit.data.split import Split
from edgekit.errors import StepError
from edgekit.model.reading import load_model
from edgekit.project.project import Project, load_project
from edgekit.steps.export import Export
from edgekit.steps.fuse import Fuse
from edgekit.steps.qat import Qat
from edgekit.steps.quantize import Quantize
from edgekit.steps.simplify import Simplify
from edgekit.steps.train import Train
from edgekit.training.batches import tensor_example
from edgekit.training.modules import saved_module
from edgekit.training.weight_constraints import weights_of
from edgekit.traits import Data
from tests.conftest import MakeProject
from tests.steps.conftest import artifact


@pytest.mark.parametrize(
    ("target", "bits"),
    [
        ("x86-vnni", 4),
        ("rpi4", 8),
        *(pytest.param(*each, marks=pytest.mark.slow) for each in (("x86-vnni", 8), ("x86-avx2", 4), ("x86-avx2", 8))),
        pytest.param("rpi4", 4, marks=pytest.mark.slow),
    ],
)
def test_its_weights_are_those_that_quantize_stores(
    run_step: Callable[..., Outcome], tiny: Project, target: str, bits: Literal[4, 8]
) -> None:
    done = run_step(Qat(bits=bits, epochs=2), tiny, run_step(Train(epochs=3), tiny).path, target)
    module = saved_module(tiny, artifact(done.path))
    trained = {name: each.detach().numpy() for name, each in weights_of(module).items()}
    levels = 15 if bits == 4 else 255
    assert all(len(np.unique(row)) <= levels for each in trained.values() for row in each)
    integers = quantized(run_step, tiny, done.path, target)
    for name, stored in stored_weights(integers).items():
        (weight,) = [each for each in trained.values() if each.shape == stored.shape]
        assert np.abs(stored - weight).max() <= 1e-5 * np.abs(weight).max(), name
    example = tensor_example(Split(tiny, Data.EVALUATION))
    expected = module(*example.inputs).detach().numpy()
    given = unfused_outputs(integers, [each.numpy() for each in example.inputs])
    assert np.abs(given - expected).max() < 0.05 * np.abs(expected).max()
    assert done.notes["weight_bits"] == bits and 0 <= done.notes["range_drift"] < 0.25


def quantized(run_step: Callable[..., Outcome], project: Project, module: Path, target: str) -> Path:
    plain = run_step(Simplify(), project, run_step(Export(), project, module).path)
    return run_step(Quantize(), project, plain.path, target).path


def stored_weights(path: Path) -> dict[str, Array]:
    """What the integers of convolutions and matrix products stand for, by name, as a module has them."""
    graph = load_model(path).graph
    stored = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    found = {}
    for node in graph.node:
        if node.op_type not in ("Conv", "Gemm", "MatMul"):
            continue
        weight = makers[node.input[1]]
        axis = next((each.i for each in weight.attribute if each.name == "axis"), 1)
        integers, scale = stored[weight.input[0]], stored[weight.input[1]]
        if scale.ndim:
            scale = scale.reshape([-1 if each == axis else 1 for each in range(integers.ndim)])
        value = integers.astype(np.float32) * scale
        turned = node.op_type == "MatMul" or any(each.name == "transB" and not each.i for each in node.attribute)
        found[node.name] = value.T if turned or (node.op_type == "Gemm" and not node.attribute) else value
    assert len(found) == 3
    return found


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


def test_what_cannot_be_folded_is_reported(run_step: Callable[..., Outcome], make_project: MakeProject) -> None:
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


PLAIN = """
from torch import Tensor, nn


def student() -> nn.Module:
    convolutions = [nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 16, 3, stride=2), nn.Conv2d(16, 16, 3, padding=1)]
    blocks = [nn.Sequential(each, nn.BatchNorm2d(each.out_channels), nn.ReLU()) for each in convolutions]
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 4))


teacher = student
"""


@pytest.mark.parametrize("target", ["x86-vnni", "rpi4"])
@pytest.mark.parametrize("kind", [pytest.param("plain", marks=pytest.mark.slow), "residual"])
def test_the_runtime_fuses_all_of_it_into_integer_kernels(
    run_step: Callable[..., Outcome], make_project: MakeProject, kind: str, target: str
) -> None:
    folder = make_project()
    if kind == "plain":
        (folder / "model.py").write_text(PLAIN)
    project = load_project(folder)
    trained = run_step(Qat(epochs=2), project, run_step(Train(epochs=2), project).path, target)
    fused = run_step(Fuse(), project, quantized(run_step, project, trained.path, target), target)
    assert (fused.notes["islands"], fused.notes["float_operators"]) == ({}, {})
    assert fused.notes["integer_operators"] >= 5
