from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from edgekit.pruning.heads import attentions, without_heads
from edgekit.training.batches import TensorBatch
from edgekit.training.modules import parameter_count

X = torch.randn(2, 6, 32, generator=torch.Generator().manual_seed(0))
WIDTH, HEADS = 32, 4


class Fused(nn.Module):
    """One layer makes queries, keys and values, in whichever order."""

    def __init__(self, order: str, *, in_one_call: bool = False, tells_width: bool = False) -> None:
        super().__init__()
        self.num_heads, self.inner = HEADS, WIDTH
        self.order, self.in_one_call, self.tells_width = order, in_one_call, tells_width
        self.qkv, self.proj, self.head = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 5)

    def forward(self, x: Tensor) -> Tensor:
        if self.order == "parts first":
            q, k, v = self.qkv(x).unflatten(2, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        else:
            q, k, v = self.qkv(x).unflatten(2, (self.num_heads, 3, -1)).permute(3, 0, 2, 1, 4)
        if self.in_one_call:
            mixed = scaled_dot_product_attention(q, k, v)
        else:
            mixed = (q @ k.transpose(2, 3) * q.shape[-1] ** -0.5).softmax(-1) @ v
        mixed = mixed.transpose(1, 2)
        flat = mixed.reshape(*x.shape[:2], self.inner) if self.tells_width else mixed.flatten(2)
        return self.head(x + self.proj(flat))


class Separate(nn.Module):
    """A layer for each of them; several heads may share keys and values."""

    def __init__(self, groups: int = HEADS) -> None:
        super().__init__()
        self.n_heads, self.n_kv_heads, width = HEADS, groups, WIDTH // HEADS
        self.q, self.k, self.v = (
            nn.Linear(WIDTH, WIDTH),
            nn.Linear(WIDTH, groups * width),
            nn.Linear(WIDTH, groups * width),
        )
        self.o, self.head = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 5)

    def forward(self, x: Tensor) -> Tensor:
        q = self.q(x).unflatten(2, (self.n_heads, -1)).transpose(1, 2)
        k, v = (each(x).unflatten(2, (self.n_kv_heads, -1)).transpose(1, 2) for each in (self.k, self.v))
        share = self.n_heads // self.n_kv_heads
        mixed = scaled_dot_product_attention(
            q, k.repeat_interleave(share, 1), v.repeat_interleave(share, 1), is_causal=True
        )
        return self.head(x + self.o(mixed.transpose(1, 2).flatten(2)))


class Whole(nn.Module):
    """PyTorch's own."""

    def __init__(self, *, batch_first: bool) -> None:
        super().__init__()
        self.attention, self.head = nn.MultiheadAttention(WIDTH, HEADS, batch_first=batch_first), nn.Linear(WIDTH, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.attention(x, x, x)[0])


class Fixed(Fused):
    """Its width is that of its input: fewer heads would become wider ones."""

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        q, k, v = (
            each.view(batch, length, self.num_heads, width // self.num_heads).transpose(1, 2)
            for each in self.qkv(x).split(self.inner, 2)
        )
        mixed = scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, length, width)
        return self.head(x + self.proj(mixed))


def half(_: str, count: int) -> int:
    return max(count // 2, 1)


MADE: dict[str, Callable[[], nn.Module]] = {
    "parts first": lambda: Fused("parts first"),
    "heads first": lambda: Fused("heads first"),
    "in one call": lambda: Fused("parts first", in_one_call=True),
    "width told": lambda: Fused("parts first", tells_width=True),
    "separate": Separate,
    "keys shared": lambda: Separate(2),
    "PyTorch's own": lambda: Whole(batch_first=True),
    "PyTorch's own, steps first": lambda: Whole(batch_first=False),
}


@pytest.mark.parametrize("name", MADE)
def test_half_of_the_heads_go_and_the_rest_give_what_they_gave(name: str) -> None:
    torch.manual_seed(0)
    module = MADE[name]().eval()
    done = without_heads(module, TensorBatch((X,), None), half)
    assert list(done.heads.values()) == [(4, 2)] and not done.faults
    (attention,) = attentions(module, TensorBatch((X,), None))
    taken = sum(module.get_submodule(layer).weight.numel() // 2 for layer in attention.layers if "att" not in layer)
    if attention.projections:
        biases = sum(module.get_submodule(layer).out_features // 2 for layer in attention.projections)
    else:
        taken, biases = 3 * WIDTH * WIDTH // 2 + WIDTH * WIDTH // 2, 3 * WIDTH // 2
    assert parameter_count(module) - parameter_count(done.module) == taken + biases
    with torch.no_grad():
        assert done.module(X).shape == module(X).shape


def test_the_heads_that_matter_least_go() -> None:
    module = Separate().eval()
    with torch.no_grad():
        for layer, axis in ((module.q, 0), (module.k, 0), (module.v, 0), (module.o, 1)):
            for head in (1, 2):
                layer.weight.narrow(axis, 8 * head, 8).mul_(0.01)
    done = without_heads(module, TensorBatch((X,), None), half).module
    kept = torch.cat((module.v.weight[:8], module.v.weight[24:]))
    assert torch.equal(done.get_submodule("v").weight, kept)


def test_attention_that_cannot_be_followed_is_kept_and_said() -> None:
    module = Fixed("parts first").eval()
    done = without_heads(module, TensorBatch((X,), None), half)
    assert done.faults == {"proj": "reshapes its heads in a way that cannot be traced"} and not done.heads
    assert parameter_count(done.module) == parameter_count(module) and done.layers == {"proj", "qkv"}


class Other(nn.Module):
    """PyTorch's own, with keys of another width, or with a key more than it is given."""

    def __init__(self, **options: object) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True, **options)  # type: ignore[arg-type]
        self.head = nn.Linear(WIDTH, 5)

    def forward(self, x: Tensor) -> Tensor:
        keys = x[..., : self.attention.kdim]
        return self.head(self.attention(x, keys, keys)[0])


@pytest.mark.parametrize("options", [{"kdim": 16, "vdim": 16}, {"add_bias_kv": True}, {"add_zero_attn": True}])
def test_pytorchs_own_is_kept_where_it_has_more_than_heads(options: dict[str, object]) -> None:
    torch.manual_seed(0)
    module = Other(**options).eval()
    for each in module.parameters():
        nn.init.normal_(each)
    done = without_heads(module, TensorBatch((X,), None), half)
    assert "attention" in done.faults and not done.heads and done.layers == {"attention"}


def test_attention_that_runs_twice_is_cut_once() -> None:
    class Twice(Separate):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + super().forward(2 * x)

    torch.manual_seed(0)
    done = without_heads(Twice().eval(), TensorBatch((X,), None), half)
    assert done.heads == {"o": (4, 2)}


def test_where_nothing_attends_nothing_is_found() -> None:
    module = nn.Sequential(nn.Linear(32, 32), nn.Softmax(-1), nn.Linear(32, 4))
    assert attentions(module, TensorBatch((X,), None)) == []


def test_what_was_frozen_stays_frozen() -> None:
    module = Separate().eval()
    module.k.requires_grad_(False)
    done = without_heads(module, TensorBatch((X,), None), half).module
    assert {name: each.requires_grad for name, each in done.named_parameters()} == {
        name: each.requires_grad for name, each in module.named_parameters()
    }


def test_heads_taken_from_pytorchs_own_layers_are_found_again_after_saving(
    make_project: Callable[..., Path], tmp_path: Path
) -> None:
    from edgekit.contract.artifact import Artifact
    from edgekit.project.project import load_project
    from edgekit.training.modules import save_module, saved_module, untrained_module
    from edgekit.traits import MODULE_ENTRY, Format, Role

    folder = make_project({'student = "model:student"': 'student = "encoder:student"'})
    (folder / "encoder.py").write_text(
        "from torch import nn\n\n\ndef student():\n"
        "    layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)\n"
        "    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)\n"
    )
    project = load_project(folder)
    module = untrained_module(project, Role.STUDENT)
    done = without_heads(module, TensorBatch((X,), None), half).module
    save_module(done, project, Role.STUDENT, tmp_path / "m.safetensors")
    again = saved_module(project, Artifact(tmp_path / "m.safetensors", Format.TORCH, MODULE_ENTRY, "d", Role.STUDENT))
    with torch.no_grad():
        assert torch.equal(again(X), done.eval()(X))
