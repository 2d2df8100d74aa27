import warnings

import pytest
import torch
from torch import Tensor, nn

from edgekit.contract.technique import Units
from edgekit.progress import Silent
from edgekit.pruning.channels import PruningResult
from edgekit.pruning.share import PrunableUnits, Share
from edgekit.pruning.units import prunable_units, prune_units
from edgekit.training.batches import TensorBatch
from edgekit.training.modules import parameter_count

IMAGE = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def cut(module: nn.Module, x: Tensor = IMAGE, share: Share | None = None, units: Units = "all") -> PruningResult:
    return prune_units(module.eval(), TensorBatch((x,), None), share or Share(0.5, 8), units, Silent())


def block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    layers = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    return nn.Sequential(*layers)


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


class Shuffled(nn.Module):
    """As in ShuffleNetV2: half of the channels pass a branch, then the halves take turns."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        self.branch = nn.Sequential(
            *(nn.Conv2d(half, half, 1, bias=False), nn.BatchNorm2d(half), nn.ReLU()),
            *(nn.Conv2d(half, half, 3, padding=1, groups=half, bias=False), nn.BatchNorm2d(half)),
            *(nn.Conv2d(half, half, 1, bias=False), nn.BatchNorm2d(half), nn.ReLU()),
        )

    def forward(self, x: Tensor) -> Tensor:
        kept, other = x.chunk(2, dim=1)
        x = torch.cat((kept, self.branch(other)), dim=1)
        n, c, h, w = x.shape
        return x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)


class ShuffleNet(nn.Module):
    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 64, 3, padding=1)
        self.blocks = nn.Sequential(*(Shuffled(64) for _ in range(blocks)))
        self.head = nn.Linear(64, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(x).relu()).mean((2, 3)))


def test_submodules_are_pruned_where_the_whole_cannot_be_traced() -> None:
    torch.manual_seed(0)
    module = ShuffleNet(4)
    done = cut(module)
    branches = [done.module.get_submodule(f"blocks.{number}.branch") for number in range(4)]
    for branch in branches:
        sizes = [tuple(branch.get_submodule(name).weight.shape) for name in ("0", "3", "5")]
        assert sizes == [(16, 32, 1, 1), (16, 1, 3, 3), (32, 16, 1, 1)]
    assert done.outputs == ("head",) and done.module(IMAGE).shape == (2, 4)
    assert set(done.faults) == {"stem", *(f"blocks.{number}.branch.5" for number in range(4))}
    assert "cannot be traced" in done.faults["stem"] and parameter_count(done.module) < parameter_count(module)


def test_a_gradual_pruning_of_submodules_ends_in_the_shapes_of_one_cut() -> None:
    torch.manual_seed(0)
    module, share = ShuffleNet(3), Share(0.5, 8)
    once = shapes(cut(module))
    for share.done in (0.4, 1.0):
        module = cut(module, share=share).module
    assert shapes(PruningResult(module, (), (), {}, {})) == once


def test_a_submodule_that_shares_weights_with_others_keeps_them() -> None:
    torch.manual_seed(0)
    module = ShuffleNet(4)
    module.blocks[1].branch[0].weight = module.blocks[2].branch[0].weight
    done = cut(module)
    kept = {number: done.module.get_submodule(f"blocks.{number}.branch.0").out_channels for number in range(4)}
    assert kept == {0: 16, 1: 32, 2: 32, 3: 16}
    assert done.module.blocks[1].branch[0].weight is done.module.blocks[2].branch[0].weight


class Gru(nn.Module):
    def __init__(self, *, hidden: bool) -> None:
        super().__init__()
        self.gru = nn.GRU(3, 12, batch_first=True)
        self.head = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 2)) if hidden else nn.Linear(12, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.gru(x)[0][:, -1])


@pytest.mark.parametrize(
    ("module", "x", "expected"),
    [
        (Gru(hidden=False), torch.randn(2, 24, 3), PrunableUnits({}, {}, {})),
        (Gru(hidden=True), torch.randn(2, 24, 3), PrunableUnits({"head.0": (16, 1)}, {}, {})),
        (nn.Sequential(nn.Linear(8, 2)), torch.randn(2, 8), PrunableUnits({}, {}, {})),
        (nn.ReLU(), torch.randn(2, 8), PrunableUnits({}, {}, {})),
    ],
)
def test_recurrent_and_output_layers_cannot_be_pruned(module: nn.Module, x: Tensor, expected: PrunableUnits) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert prunable_units(module.eval(), TensorBatch((x,), None)) == expected


def test_what_can_be_pruned_is_named_with_its_counts() -> None:
    torch.manual_seed(0)
    found = prunable_units(Hybrid().eval(), TensorBatch((IMAGE,), None))
    assert found.heads == {"layers.layers.0.self_attn": 4, "layers.layers.1.self_attn": 4}
    feed_forward = {"layers.layers.0.linear1": (64, 1), "layers.layers.1.linear1": (64, 1)}
    assert found.layers == {"stem.0.0": (32, 1), "stem.1.0": (64, 1), **feed_forward}
