from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from edgekit.contract.technique import Units
from edgekit.progress import Silent
from edgekit.pruning.channels import PruningResult, Share, kept_channels, prune_units
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


@given(st.integers(1, 512), st.floats(0.01, 0.99), st.sampled_from([1, 4, 8, 16]))
def test_what_stays_is_the_nearest_multiple(channels: int, ratio: float, multiple: int) -> None:
    kept = kept_channels(channels, ratio, multiple)
    assert 0 < kept <= channels
    assert kept % multiple == 0 or kept == channels
    if channels >= multiple * 2 and channels % multiple == 0 and kept > multiple:
        assert abs(kept - channels * (1 - ratio)) <= multiple / 2


@given(st.integers(1, 512), st.floats(0.01, 0.99), st.sampled_from([1, 4, 8]), st.sampled_from([1, 2, 4]), st.data())
def test_a_gradual_cut_ends_where_one_cut_does(
    channels: int, ratio: float, multiple: int, groups: int, data: st.DataObject
) -> None:
    channels *= groups
    share, counts = Share(ratio, multiple), [channels]
    for share.done in (0.3, 0.8, 1.0):
        counts.append(share.count_to_keep("layer", counts[-1], groups))
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == Share(ratio, multiple).count_to_keep("layer", channels, groups)
    assert groups == channels or all(each % groups == 0 for each in counts)
    heads = data.draw(st.integers(1, 16))
    for share.done in (0.3, 0.8, 1.0):
        heads = share.kept_heads("layer", heads)
    assert heads == kept_channels(share._first["layer heads"], ratio, 1)


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


class Hybrid(nn.Module):
    """Convolutions, then PyTorch's own encoder layers over their pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(block(3, 32, stride=2), block(32, 64, stride=2))
        self.into = nn.Conv2d(64, 32, 1)
        layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layers(self.into(self.stem(x)).flatten(2).transpose(1, 2)).mean(1))


def shapes(done: PruningResult) -> dict[str, tuple[int, ...]]:
    return {name: tuple(each.shape) for name, each in done.module.named_parameters() if each.ndim > 1}


def test_a_network_with_both_loses_channels_heads_and_feed_forward_width() -> None:
    torch.manual_seed(0)
    done = cut(Hybrid())
    attention = {f"layers.layers.{number}.self_attn": (4, 2) for number in (0, 1)}
    assert (done.heads, done.faults, done.outputs) == (attention, {}, ("head",))
    found = shapes(done)
    assert found["stem.0.0.weight"] == (16, 3, 3, 3) and found["stem.1.0.weight"] == (32, 16, 3, 3)
    assert found["into.weight"] == (32, 32, 1, 1), "the width that attention shares"
    for number in (0, 1):
        layer = f"layers.layers.{number}"
        assert found[f"{layer}.self_attn.in_proj_weight"] == (48, 32)
        assert found[f"{layer}.self_attn.out_proj.weight"] == (32, 16)
        assert found[f"{layer}.linear1.weight"] == (32, 32) and found[f"{layer}.linear2.weight"] == (32, 32)
    assert set(done.shared) == {"into", "layers.layers.0.linear2", "layers.layers.1.linear2"} - set(done.outputs)


def test_one_kind_of_unit_may_be_taken_alone() -> None:
    torch.manual_seed(0)
    module = Hybrid()
    heads, channels = cut(module, units="heads"), cut(module, units="channels")
    assert heads.heads and shapes(heads)["stem.0.0.weight"] == (32, 3, 3, 3)
    assert not channels.heads and shapes(channels)["stem.0.0.weight"] == (16, 3, 3, 3)
    assert shapes(channels)["layers.layers.0.self_attn.in_proj_weight"] == (96, 32)


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
