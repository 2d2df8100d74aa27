"""Whole attention heads taken out of a module, where that can be done without changing what the others give."""

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
"""Of a part's largest value: what sums over fewer heads round to otherwise."""


@dataclass(frozen=True)
class Attention:
    """Where a module attends: the layers whose outputs are queries, keys and values, and the layer that takes what the
    heads give; or PyTorch's own module, which holds them all."""

    name: str
    """Of the layer that takes what the heads give, or of PyTorch's own module."""
    heads: int
    groups: int
    """Heads that share keys and values are one group, and go together: as many as there are keys."""
    projections: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    """The modules that may know how many heads there are."""

    @property
    def share(self) -> int:
        """The heads of a group."""
        return self.heads // self.groups

    @property
    def layers(self) -> tuple[str, ...]:
        """Every layer that it is made of."""
        return (self.name, *self.projections)


@dataclass(frozen=True)
class HeadPruningResult:
    """What was left of a module."""

    module: nn.Module
    heads: dict[str, tuple[int, int]]
    """By attention, how many heads it had and has."""
    faults: dict[str, str]
    """Attention that keeps all of its heads, and why."""
    layers: frozenset[str]
    """All that attention is made of: no single channels can be taken from it."""


def without_heads(module: nn.Module, example: TensorBatch, kept: Callable[[str, int], int]) -> HeadPruningResult:
    """A copy of the module without the heads of least magnitude (the sum of squares of what makes their queries, keys
    and values and takes what they give), of each attention `kept` of its name and their number, those that share keys
    together.

    That heads may go is Michel, Levy and Neubig's finding (arXiv 1905.10650). An attention is left whole where the
    module, cut, does not give what the whole one gives with those heads silent.
    """
    found = attentions(module, example)
    done, heads, faults = module, {}, {}
    for each in found:
        count = each.groups - kept(each.name, each.groups)
        if count <= 0:
            continue
        cut = _remove_heads(done, example, each, count)
        if cut is None:
            faults[each.name] = "shapes its heads in a way that cannot be followed"
        else:
            done = cut
            heads[each.name] = each.heads, each.heads - count * each.share
    layers = frozenset(name for each in found for name in each.layers)
    return HeadPruningResult(done if done is not module else deep_copy(module), heads, faults, layers)


def attentions(module: nn.Module, example: TensorBatch) -> list[Attention]:
    """The places where a module attends, seen by running it once."""
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
    """A softmax over scores, or attention in one call, as it ran."""

    heads: int
    inner: str
    """The module that ran it."""
    node: object
    """Its output in the autograd graph."""
    sources: list[object]
    """Where queries and keys (and, of attention in one call, values) come from."""


@dataclass
class _OutputRecorder(TorchFunctionMode):
    """Notes where attention runs, and between which layers."""

    module: nn.Module
    seen: list[_Seen] = field(default_factory=list)
    made: dict[object, str] = field(default_factory=dict)
    """The layers by their outputs."""
    took: list[tuple[str, object]] = field(default_factory=list)
    """Each layer with its input."""
    running: list[str] = field(default_factory=list)
    """The modules that are running, the innermost last."""

    def __post_init__(self) -> None:
        super().__init__()
        for name, each in self.module.named_modules():
            each.register_forward_pre_hook(self._entered(name))
            each.register_forward_hook(self._left(name))

    def _entered(self, name: str) -> Callable[..., None]:
        def hook(module: nn.Module, given: tuple[Any, ...]) -> None:
            self.running.append(name)
            if isinstance(module, nn.Linear) and given and isinstance(given[0], Tensor):
                self.took.append((name, given[0].grad_fn))

        return hook

    def _left(self, name: str) -> Callable[..., None]:
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
        """Each attention of which a layer takes what the heads give."""
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
    """The nodes of the autograd graph that are reached, those in `stops` last on their way."""
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
    """How many heads have keys of their own, from the sizes of the layers; 0 where these do not tell."""
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
    """A copy without `count` groups of heads, in the first layout and with the first counts written back that give what
    the module gives with those heads silent; None where none does."""
    for group_major, written in product((False, True), _writings(attention, count)):
        copy = deep_copy(module).eval()
        with suppress(EdgekitError, RuntimeError, IndexError, AttributeError):  # sizes that are no heads' after all
            taken = _least(module, attention, count, group_major)
            silent = _outputs(_with_silent_heads(module, attention, taken), example)
            _take(copy, attention, taken, group_major)
            written(copy)
            if relative_difference(silent, _outputs(copy, example)) <= _ROUNDING:
                return copy
    return None


def _least(module: nn.Module, attention: Attention, count: int, group_major: bool) -> list[int]:
    """The groups of least magnitude."""
    scores = torch.zeros(attention.groups)
    for _, layer, key, groups, axis in _parts(module, attention, group_major):
        squares = layer.get_parameter(key).detach().float().pow(2).sum(1 - axis)
        scores.index_add_(0, groups, squares)
    return sorted(scores.argsort()[:count].tolist())


def _take(module: nn.Module, attention: Attention, taken: Sequence[int], group_major: bool) -> None:
    """Take the groups out of the module's weights, in place."""
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
    """A copy in which nothing takes what these groups give."""
    copy = deep_copy(module).eval()
    *_, (_, layer, key, groups, axis) = _parts(copy, attention, False)
    with torch.no_grad():
        layer.get_parameter(key).index_fill_(axis, torch.isin(groups, torch.tensor(taken)).nonzero().flatten(), 0)
    return copy


Part = tuple[str, nn.Module, str, Tensor, int]
"""A layer by its name, the name of its weight, and the group of each index along an axis of that."""


def _parts(module: nn.Module, attention: Attention, group_major: bool) -> Iterator[Part]:
    """The weights that heads are made of, what takes from them last."""
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
    """The ways to tell the modules around how many heads are left: by what is called so, besides by widths, not at
    all."""
    heads, groups = attention.heads, attention.groups
    counts = {heads: heads - count * attention.share, groups: groups - count}

    def named(module: nn.Module) -> None:
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
        named(module)

    return [named, with_widths, lambda _: None] if attention.projections else [lambda _: None]


def _integers(module: nn.Module, names: Sequence[str]) -> list[tuple[nn.Module, str, int]]:
    """The public integers of modules, but of the layers themselves."""
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
