"""Remove whole channels from a module where its outputs keep their meaning."""

import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch_pruning
from torch import Tensor, nn

from edgekit.errors import EdgekitError, type_and_line
from edgekit.numerics.compare import relative_difference
from edgekit.progress import Progress
from edgekit.pruning.heads import reachable_nodes
from edgekit.pruning.share import Share
from edgekit.training.batches import TensorBatch
from edgekit.training.modules import deep_copy, outputs_of, tie, tied_parameters

_WHAT = "searching for channels to prune"
_MIXING = nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.LocalResponseNorm
"""Norms with a mean over channels, which changes with their number."""
_ROUNDING = 1e-3
"""The tolerance relative to a part's largest value, for sums over fewer channels."""


@dataclass(frozen=True)
class PruningResult:
    """The pruned module and what was kept."""

    module: nn.Module
    outputs: tuple[str, ...]
    """The layers whose channels are the module's outputs."""
    shared: tuple[str, ...]
    """The layers whose channels are the width that attention shares with the residual stream."""
    heads: dict[str, tuple[int, int]]
    """The number of heads before and after, by attention."""
    faults: dict[str, str]
    """Other layers that keep all channels or heads, with the reason."""


class UntraceableError(Exception):
    """The library finds no dependency graph for a module."""

    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.fault = fault
        """Why, as `PruningResult.faults` has it."""


def without_channels(
    module: nn.Module, example: TensorBatch, share: Share, attending: Collection[str], progress: Progress
) -> PruningResult:
    """Prune a copy of the module: remove the channels with the smallest group magnitude along its dependency graph
    (Fang et al., DepGraph, arXiv 2301.12900), as many of each layer as `share` says.

    A layer keeps all channels if they are the module's outputs or the width that attention shares, and if pruning it
    would change output shapes or fail; the others are still pruned. Frozen parameters stay frozen, and tied ones stay
    tied. Raises UntraceableError if there is no dependency graph.
    """
    names = [name for name, each in module.named_modules() if is_layer(each)]
    last = last_layers(module, example, names)
    inside = tuple(f"{name}." for name in attending)
    others = [name for name in names if name not in {*last, *attending} and not name.startswith(inside)]
    shared = _sharing(module, example, others, attending) if attending else set()
    trial = _Trial(module, example, share)
    if isinstance(fault := trial.cut(()), str):
        raise UntraceableError(fault)
    fitting, faults = _fitting(trial, [name for name in others if name not in shared], (), progress)
    done = trial.cut(fitting)
    assert isinstance(done, nn.Module), "this cut was tried before"
    return PruningResult(done, tuple(sorted(last)), tuple(sorted(shared)), {}, faults)


def _sharing(module: nn.Module, example: TensorBatch, names: Sequence[str], attending: Collection[str]) -> set[str]:
    """The layers among `names` whose channels are the width that attention reads or adds to; empty if the module cannot
    be traced."""
    copy = deep_copy(module).requires_grad_(True)
    layers = dict(copy.named_modules())
    try:
        with _quiet_library():
            graph = torch_pruning.DependencyGraph().build_dependency(copy, example.inputs)
            found = {}
            for name in names:
                function = graph.get_pruner_of_module(layers[name]).prune_out_channels
                found[name] = {
                    dependency.target.module for dependency, _ in graph.get_pruning_group(layers[name], function, [0])
                }
    except Exception:  # the library cannot trace this graph; the error is reported when pruning is tried
        return set()
    attention = {layers[name] for name in attending}
    return {name for name, members in found.items() if members & attention}


def _fitting(
    trial: "_Trial", names: Sequence[str], besides: Sequence[str], progress: Progress
) -> tuple[list[str], dict[str, str]]:
    """The layers among `names` that can be pruned together with those in `besides`, and the reasons for the others.
    Layers are tried together, and by halves if that fails."""
    progress.advanced(_WHAT, len(besides), len(besides) + len(names), "layers")
    tried = trial.cut([*besides, *names])
    if isinstance(tried, nn.Module):
        return list(names), {}
    if len(names) == 1:
        return [], {names[0]: tried}
    half = len(names) // 2
    left, faults = _fitting(trial, names[:half], besides, progress)
    right, more = _fitting(trial, names[half:], [*besides, *left], progress)
    return left + right, {**faults, **more}


class _Trial:
    """Tries pruning on copies of a module."""

    def __init__(self, module: nn.Module, example: TensorBatch, share: Share) -> None:
        self.module = module
        self.example = example
        self.share = share
        self._latest: tuple[set[str], nn.Module | str] | None = None

    def cut(self, names: Collection[str]) -> nn.Module | str:
        """A copy in which these layers are pruned, or the error."""
        if self._latest is None or set(names) != self._latest[0]:
            self._latest = set(names), self._try_cut(names)
        return self._latest[1]

    def _try_cut(self, names: Collection[str]) -> nn.Module | str:
        copy = deep_copy(self.module)
        ties = tied_parameters(copy)
        frozen = {name for name, each in copy.named_parameters() if not each.requires_grad}
        copy.requires_grad_(True)  # tracing needs gradients
        layers = dict(copy.named_modules())
        others = [layers[name] for name, each in self.module.named_modules() if name not in names and is_layer(each)]
        try:
            with _quiet_library():
                pruner = torch_pruning.pruner.BasePruner(
                    copy,
                    self.example.inputs,
                    importance=torch_pruning.importance.GroupMagnitudeImportance(p=2),
                    global_pruning=False,
                    pruning_ratio=0.0,
                    pruning_ratio_dict=_ratios(copy, self.share),
                    ignored_layers=others,
                )
                removed = _prune(pruner)
        except Exception as error:  # the library cannot trace this graph
            return f"cannot be traced ({type_and_line(error)})"
        tie(copy, ties)
        if tied_parameters(copy) != ties:
            return "shares weights with a layer that is not pruned"
        for name, parameter in copy.named_parameters():
            parameter.requires_grad_(name not in frozen)
        return self._fault(copy.eval(), removed) or copy

    def _fault(self, cut: nn.Module, removed: "_Removed") -> str:
        """The error of a pruned module, if any: its outputs must be those of the whole module with the removed channels
        set to zero at every producer and reader."""
        masked = deep_copy(self.module).eval()
        for name, module in masked.named_modules():
            _mask(module, removed.outputs.get(name, []), removed.inputs.get(name, []))
        try:
            given, expected = _outputs(cut, self.example), _outputs(masked, self.example)
        except EdgekitError as error:
            return f"breaks the module when it is cut ({error.message})"
        if [each.shape for each in given] != [each.shape for each in expected]:
            return "changes the outputs' shapes when it is cut"
        touched = (self.module.get_submodule(name) for name in {*removed.outputs, *removed.inputs})
        if any(isinstance(each, _MIXING) for each in touched):
            return ""
        apart = relative_difference([each.numpy() for each in expected], [each.numpy() for each in given])
        return "has mismatched channels when it is cut" if apart > _ROUNDING else ""


@contextmanager
def _quiet_library() -> Iterator[None]:
    """Suppress the library's warnings about parameters outside layers: what it removes is compared with the whole
    module."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@dataclass(frozen=True)
class _Removed:
    """The channels removed from each layer, by name, in their original numbering."""

    outputs: dict[str, list[int]]
    inputs: dict[str, list[int]]


def _prune(pruner: Any) -> _Removed:
    """Prune, and record what was removed."""
    names = {each: name for name, each in pruner.model.named_modules()}
    left: dict[tuple[str, bool], list[int]] = {}
    removed = _Removed({}, {})
    for group in pruner.step(interactive=True):
        for dependency, indices in group:
            module = dependency.target.module
            if not isinstance(module, nn.Module) or module not in names:
                continue
            gives = pruner.DG.is_out_channel_pruning_fn(dependency.handler)
            channels = (pruner.DG.get_out_channels if gives else pruner.DG.get_in_channels)(module)
            there = left.setdefault((names[module], gives), list(range(channels or 0)))
            taken = [there[index] for index in sorted(set(indices))]
            left[names[module], gives] = [each for each in there if each not in set(taken)]
            (removed.outputs if gives else removed.inputs).setdefault(names[module], []).extend(taken)
        group.prune()
    return removed


def _mask(module: nn.Module, outputs: list[int], inputs: list[int]) -> None:
    """Set these output and input channels of a layer to zero."""
    axis = -1 if isinstance(module, nn.Linear | nn.Embedding) else 1

    def zero(value: Any, channels: list[int]) -> Any:
        return value.index_fill(axis, torch.tensor(channels), 0) if isinstance(value, Tensor) else value

    if outputs:
        module.register_forward_hook(lambda _, __, output: zero(output, outputs))
    if inputs:
        module.register_forward_pre_hook(lambda _, given: tuple(zero(each, inputs) for each in given))


def _ratios(module: nn.Module, share: Share) -> dict[nn.Module, float]:
    """Each layer's own ratio, because the pruner rounds the kept channels down to a multiple: half of a layer for 1
    %."""
    ratios: dict[nn.Module, float] = {}
    for name, layer in module.named_modules():
        channels = channels_of(layer)
        if channels:
            groups = getattr(layer, "groups", 1)
            # The pruner keeps int(channels * (1 - ratio)): slightly more than the whole number survives the truncation.
            ratios[layer] = max(1 - (share.count_to_keep(name, channels, groups) + 0.01 * groups) / channels, 0.0)
    return ratios


def is_layer(module: nn.Module) -> bool:
    """Whether a module is a layer whose channels can be removed: a convolution or a linear layer."""
    return isinstance(module, nn.modules.conv._ConvNd | nn.Linear)


def channels_of(layer: nn.Module) -> int:
    """The output channels or features of a layer; 0 if it has no such number."""
    found = getattr(layer, "out_channels", None) or getattr(layer, "out_features", None)
    return found if isinstance(found, int) else 0


def _outputs(module: nn.Module, example: TensorBatch) -> tuple[Tensor, ...]:
    with torch.no_grad():
        return outputs_of(module, example)


def last_layers(module: nn.Module, example: TensorBatch, names: Collection[str]) -> set[str]:
    """The layers whose channels reach an output without another layer in between."""
    copy = deep_copy(module).eval().requires_grad_(True)
    made: dict[object, str] = {}

    def note(name: str, output: object) -> None:
        if isinstance(output, Tensor) and output.grad_fn is not None:
            made[output.grad_fn] = name

    for name in names:
        copy.get_submodule(name).register_forward_hook(lambda _, __, output, name=name: note(name, output))
    with torch.enable_grad():
        outputs = outputs_of(copy, example)
    return {made[each] for each in reachable_nodes([output.grad_fn for output in outputs], made) if each in made}
