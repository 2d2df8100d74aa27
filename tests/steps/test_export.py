from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from edgekit.contract.step import Outcome
from edgekit.errors import ModelError, StepError
from edgekit.project.project import Project, load_project
from edgekit.runtimes.ort import host_outputs
from edgekit.steps.export import Export, _tolerance
from edgekit.training.batches import TensorBatch


def test_the_file_takes_any_batch_and_has_the_declared_names(run_step: Callable[..., Outcome], tiny: Project) -> None:
    done = run_step(Export(), tiny)
    model = onnx.load(done.path)
    assert [each.name for each in model.graph.input] == ["image"]
    assert [each.name for each in model.graph.output] == ["logits"]
    for count in (1, 2, 5):
        assert host_outputs(done.path, (np.zeros((count, 1, 8, 8), np.float32),))[0].shape == (count, 4)
    assert done.notes["parity"] < 1e-4
    assert not any(node.metadata_props for node in model.graph.node), "no stack traces"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('inputs = ["image"]', 'inputs = ["a", "b"]', "the data has 1 inputs, but edgekit.toml names 2"),
        ('outputs = ["logits"]', 'outputs = ["a", "b"]', "the model has 1 outputs, but edgekit.toml names 2"),
    ],
)
def test_wrong_names_are_reported(
    run_step: Callable[..., Outcome], make_project: Callable[..., Path], old: str, new: str, told: str
) -> None:
    with pytest.raises(ModelError, match=told):
        run_step(Export(), load_project(make_project({old: new})))


def test_where_forward_fixes_the_batch_the_file_takes_one_sample_at_a_time(
    run_step: Callable[..., Outcome], make_project: Callable[..., Path]
) -> None:
    folder = make_project()
    text = (folder / "model.py").read_text().replace(".flatten(1)", ".reshape(len(image), -1)")
    (folder / "model.py").write_text(text)
    done = run_step(Export(), load_project(folder))
    assert host_outputs(done.path, (np.zeros((1, 1, 8, 8), np.float32),))[0].shape == (1, 4)
    assert onnx.load(done.path).graph.input[0].type.tensor_type.shape.dim[0].dim_value == 1


def test_half_precision_is_rounded_more(run_step: Callable[..., Outcome], make_project: Callable[..., Path]) -> None:
    folder = make_project()
    text = (folder / "model.py").read_text().replace("return Net(16)", "return Net(16).half()")
    text = text.replace("self.first(image)", "self.first(image.half())").replace(".flatten(1))", ".flatten(1)).float()")
    (folder / "model.py").write_text(text)
    done = run_step(Export(), load_project(folder))
    assert 0 < done.notes["parity"] < 1e-2


def test_what_rounding_does_to_a_small_rest_of_large_numbers_is_measured() -> None:
    class Rest(nn.Module):
        """What is left of numbers a million times as large."""

        def forward(self, x: Tensor) -> Tensor:
            return (x + 1e5) - 1e5

    batch = TensorBatch((torch.linspace(-1, 1, 12).reshape(3, 4),), None)
    assert _tolerance(Rest(), batch) > 1e-3
    assert _tolerance(nn.Identity(), batch) == 1e-4


BRANCHING = "if float(image.sum()) > 0:\n            image = image + 1\n        features = self.first(image)"
MIXING = "features = self.first(image) - image.mean(0, keepdim=True)"
RANDOM = "import torch\n        features = self.first(image + torch.rand_like(image))"


@pytest.mark.parametrize(("body", "kind"), [(BRANCHING, ModelError), (RANDOM, StepError), (MIXING, ModelError)])
def test_a_forward_that_cannot_be_exported_is_reported(
    run_step: Callable[..., Outcome], make_project: Callable[..., Path], body: str, kind: type[Exception]
) -> None:
    folder = make_project()
    text = (folder / "model.py").read_text()
    assert "features = self.first(image)" in text
    (folder / "model.py").write_text(text.replace("features = self.first(image)", body, 1))
    with pytest.raises(kind) as raised:
        run_step(Export(), load_project(folder))
    assert raised.value.hint  # type: ignore[attr-defined]
