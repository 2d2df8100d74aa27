from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from edgekit.contract.artifact import Artifact
from edgekit.errors import EntryPointError, ModelError
from edgekit.project.project import Project, load_project
from edgekit.training.batches import TensorBatch
from edgekit.training.modules import (
    module_macs,
    outputs_of,
    parameter_count,
    save_module,
    saved_module,
    seed_everything,
    tie,
    tied_parameters,
    untrained_module,
)
from edgekit.traits import MODULE_ENTRY, Format, Role
from tests.training.conftest import Tied

X = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def artifact(path: Path) -> Artifact:
    return Artifact(path, Format.TORCH, MODULE_ENTRY, "digest", Role.STUDENT)


def test_the_entry_points_module_has_the_same_weights_each_time(tiny: Project) -> None:
    first, second = untrained_module(tiny, Role.STUDENT), untrained_module(tiny, Role.STUDENT)
    assert torch.equal(first(X), second(X))
    assert not first.training


def test_a_module_of_another_shape_comes_back_as_it_was(tiny: Project, tmp_path: Path) -> None:
    module = untrained_module(tiny, Role.STUDENT)
    module.head = nn.Linear(16, 4)
    convolution = module.get_submodule("first.0")
    assert isinstance(convolution, nn.Conv2d)
    narrow = nn.Conv2d(1, 8, 3, padding=1, bias=False)
    module.first[0], module.first[1] = narrow, nn.BatchNorm2d(8)
    module.second[0], module.second[1] = nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
    module.head = nn.Linear(8, 4)
    expected = module.eval()(X)
    save_module(module, tiny, Role.STUDENT, tmp_path / "m.safetensors")
    again = saved_module(tiny, artifact(tmp_path / "m.safetensors"))
    assert torch.equal(again(X), expected)
    assert parameter_count(again) == parameter_count(module)
    assert again.get_submodule("first.0").out_channels == 8


def test_inputs_and_outputs_that_do_not_fit_are_reported(tiny: Project) -> None:
    module = untrained_module(tiny, Role.STUDENT)
    with pytest.raises(ModelError, match=r"the model does not take inputs of float32 \(2, 3, 8, 8\)"):
        outputs_of(module, TensorBatch((torch.zeros(2, 3, 8, 8),), None))
    with pytest.raises(ModelError, match="the model gives a str among its outputs"):
        outputs_of(Text(), TensorBatch((X,), None))


class Text(nn.Module):
    def forward(self, x: torch.Tensor) -> str:
        return "no tensor"


def test_the_seed_reaches_every_generator() -> None:
    import random

    import numpy as np

    drawn = []
    for _ in range(2):
        seed_everything(3, epoch=2)
        drawn.append((random.random(), float(np.random.rand()), float(torch.rand(1))))
    seed_everything(3, epoch=3)
    assert drawn[0] == drawn[1]
    assert random.random() != drawn[0][0]


def test_weights_in_the_recipe_go_without_training(make_project: Callable[..., Path]) -> None:
    from edgekit.builds.build import build
    from edgekit.progress import Silent
    from edgekit.target_files import find_target

    folder = make_project({'student = "model:student"': 'student = "model:student"\nteacher_weights = "t.pt"'})
    text = (folder / "edgekit.toml").read_text()
    steps = '[[steps]]\nuse = "load"\nrole = "teacher"\n\n[[steps]]\nuse = "distill"\nepochs = 1\n\n'
    steps += '[[steps]]\nuse = "export"\n'
    (folder / "edgekit.toml").write_text(text[: text.index("[[steps]]")] + steps)
    (folder / "t.pt").write_bytes(b"")
    project = load_project(folder)
    torch.save(untrained_module(project, Role.TEACHER).state_dict(), folder / "t.pt")
    done = build(project, [find_target("rpi4")], Silent()).targets[0]
    assert done.steps[0].artifact.notes["weights"] == "t.pt"
    nameless = project.copy_with(model=project.model.copy_with(teacher=None))
    with pytest.raises(EntryPointError, match="has no teacher"):
        untrained_module(nameless, Role.TEACHER)


def test_tied_weights_are_tied_after_saving_and_loading(tied: Project, tmp_path: Path) -> None:
    module = untrained_module(tied, Role.STUDENT)
    assert tied_parameters(module) == [["embedding.weight", "head.weight"]]
    save_module(module, tied, Role.STUDENT, tmp_path / "m.safetensors")
    again = saved_module(tied, artifact(tmp_path / "m.safetensors"))
    assert again.get_parameter("head.weight") is again.get_parameter("embedding.weight")
    assert parameter_count(again) == parameter_count(module) == 48
    module.head.weight = nn.Parameter(module.head.weight + 1)
    save_module(module, tied, Role.STUDENT, tmp_path / "m.safetensors")
    again = saved_module(tied, artifact(tmp_path / "m.safetensors"))
    assert torch.equal(again.get_parameter("head.weight"), again.get_parameter("embedding.weight") + 1)


def test_what_was_one_is_tied_again_only_where_it_still_is_alike() -> None:
    module = Tied()
    ties = tied_parameters(module)
    module.head.weight = nn.Parameter(module.head.weight.clone())
    tie(module, ties)
    assert module.head.weight is module.embedding.weight
    module.head.weight = nn.Parameter(module.head.weight + 1)
    tie(module, ties)
    assert module.head.weight is not module.embedding.weight


@pytest.mark.parametrize(
    ("module", "sizes", "right"),
    [
        (nn.LSTM(20, 48, batch_first=True), (50, 20), 50 * 4 * 48 * 68),
        (nn.GRU(20, 48, batch_first=True), (50, 20), 50 * 3 * 48 * 68),
        (nn.ConvTranspose2d(8, 4, 4, 2, 1, groups=2), (8, 16, 16), 8 * 16 * 16 * 2 * 16),
        (
            nn.TransformerEncoderLayer(32, 4, 64, batch_first=True),
            (10, 32),
            10 * 32 * (96 + 32) + 2 * 10 * 10 * 32 + 2 * 10 * 32 * 64,
        ),
    ],
)
def test_macs_of_layers_with_kernels_of_their_own_are_counted(
    module: nn.Module, sizes: tuple[int, ...], right: int
) -> None:
    class First(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = module.eval()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            given = self.inner(x)
            return given[0] if isinstance(given, tuple) else given

    assert module_macs(First(), TensorBatch((torch.randn(3, *sizes),), None)) == right
    assert torch.backends.mha.get_fastpath_enabled()


class Nested(nn.Module):
    def forward(self, x: torch.Tensor) -> object:
        return {"logits": x, "hidden": (x + 1, [x + 2, None]), 3: x + 3}


def test_outputs_of_any_make_come_in_a_row_by_their_names() -> None:
    outputs = outputs_of(Nested(), TensorBatch((torch.zeros(1),), None))
    assert outputs.names == ("logits", "hidden_0", "hidden_1_0", "3")
    assert [float(each) for each in outputs] == [0.0, 1.0, 2.0, 3.0]
    assert outputs_of(nn.LSTM(2, 3), TensorBatch((torch.zeros(4, 1, 2),), None)).names == (
        "output_0",
        "output_1_0",
        "output_1_1",
    )
    assert outputs_of(nn.Identity(), TensorBatch((torch.zeros(1),), None)).names == ("output",)


@pytest.mark.parametrize(
    ("module", "given", "told", "remedy"),
    [
        (
            nn.Linear(4, 2),
            torch.zeros(2, 4, dtype=torch.float64),
            "float64 (2, 4)",
            "the data is float64 and the model",
        ),
        (nn.BatchNorm1d(4), torch.zeros(1, 4), "Expected more than 1 value", "raise batch_size"),
        (nn.Embedding(4, 2), torch.full((1, 1), 9), "int64 (1, 1): index out of range", "make the model and the data"),
        (nn.Linear(4, 2), torch.zeros(2, 3), "float32 (2, 3)", "make the model and the data agree"),
    ],
)
def test_the_remedy_blames_the_right_thing(module: nn.Module, given: torch.Tensor, told: str, remedy: str) -> None:
    with pytest.raises(ModelError) as raised:
        outputs_of(module, TensorBatch((given,), None))
    assert told in raised.value.message and remedy in raised.value.hint
