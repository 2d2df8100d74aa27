from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from edgekit.contract.technique import Units
from edgekit.progress import Silent
from edgekit.pruning.channels import PruningResult
from edgekit.pruning.share import Share
from edgekit.pruning.units import prune_units
from edgekit.training.batches import TensorBatch
from edgekit.training.modules import module_macs, parameter_count

IMAGE = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def cut(
    module: nn.Module, x: Tensor = IMAGE, ratio: float = 0.5, multiple: int = 8, units: Units = "all"
) -> PruningResult:
    torch.manual_seed(0)
    return prune_units(module.eval(), TensorBatch((x,), None), Share(ratio, multiple), units, Silent())


def block(inputs: int, outputs: int, groups: int = 1, stride: int = 1) -> nn.Sequential:
    layers = nn.Conv2d(inputs, outputs, 3, stride, 1, groups=groups, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    return nn.Sequential(*layers)


class Grouped(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.a = block(3, 64), block(64, 64, 4)
        self.mix, self.b = nn.Conv2d(64, 64, 1), block(64, 128, 8, 2)
        self.out, self.head = block(128, 128), nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.head(self.out(self.b(x + self.mix(self.a(x)))).mean((2, 3)))


def test_grouped_convolutions_lose_as_many_channels_from_each_group() -> None:
    done = cut(Grouped())
    assert (done.outputs, done.faults) == (("head",), {})
    convolutions = {name: each for name, each in done.module.named_modules() if isinstance(each, nn.Conv2d)}
    assert {name: (each.in_channels, each.out_channels, each.groups) for name, each in convolutions.items()} == {
        "stem.0": (3, 32, 1),
        "a.0": (32, 32, 4),
        "mix": (32, 32, 1),
        "b.0": (32, 64, 8),
        "out.0": (64, 64, 1),
    }
    assert (parameter_count(Grouped()), parameter_count(done.module)) == (173_834, 44_426)


class Shuffled(nn.Module):
    """As in ShuffleNet: the channels of two groups take turns."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.a, self.b = block(3, 32), block(32, 32, 2), block(32, 32)
        self.tail, self.head = block(32, 64), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(self.stem(x))
        x = x.view(len(x), 2, x.shape[1] // 2, *x.shape[2:]).transpose(1, 2).reshape(x.shape)
        return self.head(self.tail(self.b(x)).mean((2, 3)))


class Padded(nn.Module):
    """As in the ResNets for CIFAR-10: the shortcut gets channels of zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.a = block(3, 16), block(16, 32, stride=2)
        self.tail, self.head = block(32, 64), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = self.a(x) + functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 8, 8))
        return self.head(self.tail(x).mean((2, 3)))


@pytest.mark.parametrize("kind", [Shuffled, Padded])
def test_what_cannot_be_cut_right_is_kept_and_the_rest_is_cut(kind: Callable[[], nn.Module]) -> None:
    done = cut(kind())
    assert done.outputs == ("head",)
    assert done.faults and "tail.0" not in done.faults
    assert done.module.get_submodule("tail.0").out_channels == 32
    assert done.module(IMAGE).shape == (2, 10)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_transposed_convolutions_keep_the_outputs(axes: int) -> None:
    convolution = [nn.Conv1d, nn.Conv2d, nn.Conv3d][axes - 1](3, 32, 1)
    transposed = [nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d][axes - 1](32, 24, 1)
    done = cut(nn.Sequential(convolution, nn.ReLU(), transposed), torch.randn(2, 3, *[5] * axes))
    assert done.outputs == ("2",) and done.faults == {}
    assert (done.module[0].out_channels, done.module[2].out_channels) == (16, 24)


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.inner = nn.Embedding(40, 32), nn.Linear(32, 32)
        self.head = nn.Linear(32, 40, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.inner(self.embedding(x).mean(1)).relu())


def test_what_is_tied_stays_tied() -> None:
    done = cut(Tied(), torch.arange(12).reshape(2, 6))
    assert done.module.head.weight is done.module.embedding.weight
    assert done.module(torch.arange(12).reshape(2, 6)).shape == (2, 40)


def test_what_is_frozen_stays_frozen() -> None:
    module = Grouped()
    module.stem.requires_grad_(False)
    done = cut(module)
    frozen = {name for name, each in done.module.named_parameters() if not each.requires_grad}
    assert frozen == {"stem.0.weight", "stem.1.weight", "stem.1.bias"}
    assert done.module.stem[0].out_channels == 32


class Heads(nn.Module):
    """Two outputs, one of them from the middle."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.early, self.late = block(3, 32), nn.Linear(32, 4), nn.Linear(64, 7)
        self.tail = block(32, 64)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.stem(x)
        return self.early(x.mean((2, 3))), self.late(self.tail(x).mean((2, 3))).softmax(1)


def test_every_output_keeps_its_channels() -> None:
    done = cut(Heads())
    assert done.outputs == ("early", "late") and done.faults == {}
    assert [each.shape for each in done.module(IMAGE)] == [(2, 4), (2, 7)]
    assert done.module.stem[0].out_channels == 16


def test_the_module_itself_is_left_alone() -> None:
    module = Grouped()
    cut(module)
    assert parameter_count(module) == 173_834


def test_products_are_counted_by_hand() -> None:
    assert module_macs(Grouped(), TensorBatch((IMAGE,), None)) == (
        16 * 16 * (64 * 3 * 9 + 64 * 16 * 9 + 64 * 64) + 8 * 8 * (128 * 8 * 9 + 128 * 128 * 9) + 128 * 10
    )


def test_what_comes_before_a_norm_over_channels_is_still_held_against_the_whole() -> None:
    """A cut that does not reach the layer norm is compared by what it gives, not by its shape alone."""

    class Shuffled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(8, 32), nn.Linear(32, 8)
            self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 4)

        def forward(self, x: Tensor) -> Tensor:
            hidden = self.a(x).relu()
            weights = torch.arange(1.0, 1 + hidden.shape[-1]) / 8
            return self.head(self.norm(self.b(hidden * weights)))

    done = cut(Shuffled(), torch.randn(2, 8), units="channels")
    assert "has mismatched channels" in done.faults["a"]
