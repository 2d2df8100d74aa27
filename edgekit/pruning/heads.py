"""Remove whole attention heads from a module where the outputs of the others do not change."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from edgekit.errors import EdgekitError
from edgekit.numerics.compare import relative_difference
from edgekit.training.attention import as_fewer_heads
from edgekit.training.batches import TensorBatch
from edgekit.training.modules import deep_copy, outputs_of

_ROUNDING = 1e-3
"""The tolerance relative to a part's largest value, for sums over fewer heads."""


@dataclass(frozen=True)
class Attention:
    """An attention: the layers that produce queries, keys and values, and the layer that reads the heads' outputs; or
    PyTorch's own module, which contains them all."""

    name: str
    """Of the layer that reads the heads' outputs, or of PyTorch's own module."""
    heads: int
    groups: int
    """Groups of heads that share keys and values and are removed together; their number is that of the keys."""
    projections: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    """Modules that may store the number of heads."""

    @property
    def share(self) -> int:
        """The number of heads in a group."""
        return self.heads // self.groups

    @property
    def layers(self) -> tuple[str, ...]:
        """All layers of the attention."""
        return (self.name, *self.projections)


@dataclass(frozen=True)
class HeadPruningResult:
    """The pruned module and what was removed."""

    module: nn.Module
    heads: dict[str, tuple[int, int]]
    """The number of heads before and after, by attention."""
    faults: dict[str, str]
    """Attentions that keep all heads, with the reason."""
    layers: frozenset[str]
    """All layers of attentions, from which no single channels can be removed."""


def without_heads(module: nn.Module, example: TensorBatch, kept: Callable[[str, int], int]) -> HeadPruningResult:
    """Prune a copy of the module: remove the heads of smallest magnitude from each attention, the sum of squares of the
    weights that produce their queries, keys and values and read their outputs. Heads that share keys are removed
    together. `kept` is called with an attention's name and number of heads, and returns how many to keep.

    That heads can be removed is a result of Michel, Levy and Neubig (arXiv 1905.10650). An attention stays whole if the
    pruned module's outputs are not those of the whole one with these heads silenced.
    """
    found = attentions(module, example)
    done, heads, faults = module, {}, {}
    for each in found:
        count = each.groups - kept(each.name, each.groups)
        if count <= 0:
            continue
        cut = _remove_heads(done, example, each, count)
        if cut is None:
            faults[each.name] = "reshapes its heads in a way that cannot be traced"
        else:
            done = cut
            heads[each.name] = each.heads, each.heads - count * each.share
    layers = frozenset(name for each in found for name in each.layers)
    return HeadPruningResult(done if done is not module else deep_copy(module), heads, faults, layers)


def attentions(module: nn.Module, example: TensorBatch) -> list[Attention]:
    """The attentions of a module, found by running it once."""
    copy = deep_copy(module).eval().requires_grad_(True)
    watch = _OutputRecorder(copy)
    with suppress(EdgekitError), watch, torch.enable_grad():
        outputs_of(copy, example)
    own = [
        Attention(name, each.num_heads, each.num_heads)
        for name, each in copy.named_modules()
        if isinstance(each, nn.MultiheadAttention)
    ]
    return own + watch.found()


@dataclass
class _Seen:
    """A softmax over scores, or an attention function, as it was called."""

    heads: int
    inner: str
    """The module that called it."""
    node: object
    """Its output in the autograd graph."""
    sources: list[object]
    """The origins of queries and keys and, for an attention function, of values."""


@dataclass
class _OutputRecorder(TorchFunctionMode):
    """Records where attention runs, and between which layers."""

    module: nn.Module
    seen: list[_Seen] = field(default_factory=list)
    made: dict[object, str] = field(default_factory=dict)
    """Layers by their outputs."""
    took: list[tuple[str, object]] = field(default_factory=list)
    """Each layer with its input."""
    running: list[str] = field(default_factory=list)
    """The modules that are running, the innermost last."""

    def __post_init__(self) -> None:
        super().__init__()
        for name, each in self.module.named_modules():
            each.register_forward_pre_hook(self._on_enter(name))
            each.register_forward_hook(self._on_leave(name))

    def _on_enter(self, name: str) -> Callable[..., None]:
        def hook(module: nn.Module, given: tuple[Any, ...]) -> None:
            self.running.append(name)
            if isinstance(module, nn.Linear) and given and isinstance(given[0], Tensor):
                self.took.append((name, given[0].grad_fn))

        return hook

    def _on_leave(self, name: str) -> Callable[..., None]:
        def hook(module: nn.Module, _: tuple[Any, ...], output: object) -> None:
            self.running.pop()
            if isinstance(module, nn.Linear) and isinstance(output, Tensor) and output.grad_fn is not None:
                self.made[output.grad_fn] = name

        return hook

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = func(*args, **(kwargs or {}))
        if isinstance(given, Tensor) and given.dim() == 4 and given.grad_fn is not None:
            tensors = [each for each in (*args, *(kwargs or {}).values()) if isinstance(each, Tensor)]
            count = {"scaled_dot_product_attention": 3, "softmax": 1}.get(getattr(func, "__name__", ""), 0)
            if count:
                self._note(given, [each.grad_fn for each in tensors[:count]])
        return given

    def _note(self, given: Tensor, sources: list[object]) -> None:
        self.seen.append(_Seen(given.shape[1], self.running[-1] if self.running else "", given.grad_fn, sources))

    def found(self) -> list[Attention]:
        """The attentions whose heads' outputs a layer reads."""
        layers = dict(self.module.named_modules())
        attentions: dict[str, Attention] = {}
        for each in self.seen:
            if isinstance(layers[each.inner], nn.MultiheadAttention):
                continue
            stops = self.made.keys() | {each.node}
            taker = next((name for name, node in self.took if each.node in set(reachable_nodes([node], stops))), None)
            if taker is None:
                continue
            node = next(node for name, node in self.took if name == taker)
            ends = set(reachable_nodes(each.sources, self.made.keys())) | set(reachable_nodes([node], stops))
            projections = tuple(dict.fromkeys(self.made[end] for end in ends if end in self.made))
            owners = (each.inner, *(name.rpartition(".")[0] for name in (*projections, taker)))
            groups = _groups(each.heads, [layers[name] for name in projections], layers[taker])
            if groups:
                attentions[taker] = Attention(
                    taker, each.heads, groups, tuple(sorted(projections)), tuple(dict.fromkeys(owners))
                )
        return list(attentions.values())


def reachable_nodes(start: Sequence[object], stops: Collection[object]) -> Iterator[object]:
    """The reachable nodes of the autograd graph. Traversal ends at nodes in `stops`, which are included."""
    seen: set[object] = set()
    waiting = [each for each in start if each is not None]
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        yield node
        if node not in stops:
            waiting += [each for each, _ in node.next_functions if each is not None]  # type: ignore[attr-defined]


def _groups(heads: int, projections: Sequence[nn.Module], taker: nn.Module) -> int:
    """The number of heads with keys of their own, from the layers' sizes; 0 if they do not determine it."""
    if not isinstance(taker, nn.Linear) or taker.in_features % heads:
        return 0
    width = taker.in_features // heads
    outputs = [each.out_features for each in projections if isinstance(each, nn.Linear)]
    for groups in range(heads, 0, -1):
        sizes = {heads * width, groups * width, 2 * groups * width, (heads + 2 * groups) * width}
        whole = sum(outputs) == (heads + 2 * groups) * width
        if heads % groups == 0 and whole and set(outputs) <= sizes:
            return groups
    return 0


def _remove_heads(module: nn.Module, example: TensorBatch, attention: Attention, count: int) -> nn.Module | None:
    """A copy without `count` groups of heads. Of the possible layouts and places to store the head counts, the first is
    used with which the outputs are those of the module with these heads silenced; None if there is none."""
    for group_major, written in product((False, True), _writings(attention, count)):
        copy = deep_copy(module).eval()
        with suppress(EdgekitError, RuntimeError, IndexError, AttributeError):  # sizes that are not those of heads
            taken = _least(module, attention, count, group_major)
            silent = _outputs(_with_silent_heads(module, attention, taken), example)
            _take(copy, attention, taken, group_major)
            written(copy)
            if relative_difference(silent, _outputs(copy, example)) <= _ROUNDING:
                return copy
    return None


def _least(module: nn.Module, attention: Attention, count: int, group_major: bool) -> list[int]:
    """The groups of smallest magnitude."""
    scores = torch.zeros(attention.groups)
    for _, layer, key, groups, axis in _parts(module, attention, group_major):
        squares = layer.get_parameter(key).detach().float().pow(2).sum(1 - axis)
        scores.index_add_(0, groups, squares)
    return sorted(scores.argsort()[:count].tolist())


def _take(module: nn.Module, attention: Attention, taken: Sequence[int], group_major: bool) -> None:
    """Remove the groups from the module's weights, in place."""
    left = torch.tensor([group for group in range(attention.groups) if group not in taken])
    for name, layer, key, groups, axis in _parts(module, attention, group_major):
        stays = torch.isin(groups, left).nonzero().flatten()
        _keep(layer, key, stays, axis)
        bias = key.replace("weight", "bias")
        if axis == 0 and getattr(layer, bias, None) is not None:
            _keep(layer, bias, stays, 0)
        if isinstance(layer, nn.Linear):
            setattr(layer, "in_features" if axis else "out_features", len(stays))
        elif name == attention.name and isinstance(layer, nn.MultiheadAttention):
            layer.num_heads = len(left)
            as_fewer_heads(layer)


def _keep(layer: nn.Module, key: str, stays: Tensor, axis: int) -> None:
    old = layer.get_parameter(key)
    setattr(layer, key, nn.Parameter(old.detach().index_select(axis, stays), old.requires_grad))


def _with_silent_heads(module: nn.Module, attention: Attention, taken: Sequence[int]) -> nn.Module:
    """A copy in which no layer reads the outputs of these groups."""
    copy = deep_copy(module).eval()
    *_, (_, layer, key, groups, axis) = _parts(copy, attention, False)
    with torch.no_grad():
        layer.get_parameter(key).index_fill_(axis, torch.isin(groups, torch.tensor(taken)).nonzero().flatten(), 0)
    return copy


Part = tuple[str, nn.Module, str, Tensor, int]
"""A layer's name and module, the name of its weight, the group of each index along an axis, and that axis."""


def _parts(module: nn.Module, attention: Attention, group_major: bool) -> Iterator[Part]:
    """The weights of the heads; the layer that reads their outputs comes last."""
    layer = module.get_submodule(attention.name)
    if isinstance(layer, nn.MultiheadAttention):
        groups = torch.arange(attention.groups).repeat_interleave(layer.head_dim)
        yield attention.name, layer, "in_proj_weight", groups.repeat(3), 0
        yield f"{attention.name}.out_proj", layer.out_proj, "weight", groups, 1
        return
    assert isinstance(layer, nn.Linear)
    width = layer.in_features // attention.heads
    queries = torch.arange(attention.heads) // attention.share
    keys = torch.arange(attention.groups)
    for name in attention.projections:
        projection = module.get_submodule(name)
        assert isinstance(projection, nn.Linear)
        alone = len(attention.projections)
        heads = {
            1: torch.cat((queries, keys, keys)),
            2: queries if projection.out_features == attention.heads * width else torch.cat((keys, keys)),
            3: queries if projection.out_features == attention.heads * width else keys,
        }[alone]
        if group_major:
            heads = heads.sort(stable=True).values
        yield name, projection, "weight", heads.repeat_interleave(width), 0
    yield attention.name, layer, "weight", queries.repeat_interleave(width), 1


def _writings(attention: Attention, count: int) -> list[Callable[[nn.Module], None]]:
    """Ways to store the new number of heads in the surrounding modules: in attributes so named, also in widths, or not
    at all."""
    heads, groups = attention.heads, attention.groups
    counts = {heads: heads - count * attention.share, groups: groups - count}

    def update_counts(module: nn.Module) -> None:
        for owner, key, value in _integers(module, attention.owners):
            if value in counts and ("head" in key.lower() or key in ("h", "nh")):
                setattr(owner, key, counts[value])

    def with_widths(module: nn.Module) -> None:
        layer = module.get_submodule(attention.name)
        assert isinstance(layer, nn.Linear)
        width = layer.in_features // counts[heads]
        widths = {before * width: after * width for before, after in counts.items()}
        for owner, key, value in _integers(module, attention.owners):
            if value in widths:
                setattr(owner, key, widths[value])
        update_counts(module)

    return [update_counts, with_widths, lambda _: None] if attention.projections else [lambda _: None]


def _integers(module: nn.Module, names: Sequence[str]) -> list[tuple[nn.Module, str, int]]:
    """The public integer attributes of modules other than the layers themselves."""
    owners = [module.get_submodule(name) for name in names]
    return [
        (owner, key, value)
        for owner in owners
        if not isinstance(owner, nn.Linear)
        for key, value in list(vars(owner).items())
        if type(value) is int and not key.startswith("_")
    ]


def _outputs(module: nn.Module, example: TensorBatch) -> list[Any]:
    with torch.no_grad():
        return [each.numpy() for each in outputs_of(module, example)]
