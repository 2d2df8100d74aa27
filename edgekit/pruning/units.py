"""Prune whole units of a module, attention heads and channels, where its outputs keep their meaning."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from edgekit.contract.technique import Units
from edgekit.errors import EdgekitError
from edgekit.progress import Progress, Silent
from edgekit.pruning.channels import (
    PruningResult,
    UntraceableError,
    channels_of,
    is_layer,
    last_layers,
    without_channels,
)
from edgekit.pruning.heads import attentions, without_heads
from edgekit.pruning.share import PrunableUnits, Share
from edgekit.training.batches import TensorBatch
from edgekit.training.modules import deep_copy, outputs_of, tied_parameters

_HALF = 0.5
"""The ratio at which the units that can be removed are searched for."""
_BORDER = "gives the outputs of a submodule, after which channels cannot be traced"


def prune_units(
    module: nn.Module, example: TensorBatch, share: Share, units: Units, progress: Progress
) -> PruningResult:
    """Prune a copy of the module: heads by `without_heads` and channels of the other layers by `without_channels`, as
    many as `share` says; `units` may restrict it to one of both. If the module has no dependency graph, its largest
    submodules that have one are pruned; they keep the channels of their inputs and outputs."""
    beheaded = without_heads(
        module, example, lambda name, heads: heads if units == "channels" else share.kept_heads(name, heads)
    )
    if units == "heads":
        return PruningResult(beheaded.module, (), (), beheaded.heads, beheaded.faults)
    try:
        cut = without_channels(beheaded.module, example, share, beheaded.layers, progress)
    except UntraceableError as error:
        cut = _Submodules(beheaded.module, example, beheaded.layers, error.fault).prune(share, progress)
    return replace(cut, heads=beheaded.heads, faults={**beheaded.faults, **cut.faults})


def prunable_units(module: nn.Module, example: TensorBatch) -> PrunableUnits:
    """The layers that can lose channels and the attentions that can lose heads, found by removing half of each."""
    done = prune_units(module, example, Share(_HALF, 1), "all", Silent())
    found = attentions(module, example)
    inside = {layer for each in found for layer in each.layers}
    layers = {
        name: (channels_of(each), int(getattr(each, "groups", 1)))
        for name, each in module.named_modules()
        if is_layer(each) and name not in inside and channels_of(done.module.get_submodule(name)) < channels_of(each)
    }
    heads = {each.name: each.groups for each in found if each.name in done.heads}
    return PrunableUnits(layers, heads, done.faults)


class _Submodules:
    """The submodules of a module without a dependency graph, with the inputs that each receives."""

    def __init__(self, module: nn.Module, example: TensorBatch, attending: Collection[str], fault: str) -> None:
        self.module = deep_copy(module)
        self.example = example
        self.attending = attending
        self.fault = fault
        self.inputs = _inputs_of_submodules(module, example)
        self.ties = tied_parameters(module)

    def prune(self, share: Share, progress: Progress) -> PruningResult:
        """Prune the largest submodules that have a dependency graph."""
        last = last_layers(self.module, self.example, self._layers(""))
        done = self._prune_below("", share, progress)
        shared = tuple(f"{path}.{name}" for path, each in done.items() for name in each.shared)
        faults = {
            name: self.fault
            for name in self._layers("")
            if name not in {*last, *self.attending} and not any(name.startswith(f"{path}.") for path in done)
        }
        for path, each in done.items():
            faults |= {f"{path}.{name}": _BORDER for name in each.outputs if f"{path}.{name}" not in last}
            faults |= {f"{path}.{name}": why for name, why in each.faults.items()}
        return PruningResult(self.module, tuple(sorted(last)), shared, {}, faults)

    def _prune_below(self, path: str, share: Share, progress: Progress) -> dict[str, PruningResult]:
        """Prune the children of a submodule, or their children, in place; the results by name."""
        done: dict[str, PruningResult] = {}
        for child, module in list(self.module.get_submodule(path).named_children()):
            name = f"{path}.{child}" if path else child
            if len(self._layers(name)) < 2:
                continue  # the only layer's channels are the outputs
            cut = self._try_submodule(name, module, share, progress)
            if cut is None:
                done |= self._prune_below(name, share, progress)
            else:
                self.module.set_submodule(name, cut.module)
                done[name] = cut
        return done

    def _try_submodule(self, name: str, module: nn.Module, share: Share, progress: Progress) -> PruningResult | None:
        """A pruned copy of a submodule; None if it has no dependency graph, or shares weights with other modules."""
        inputs, inside = self.inputs.get(name), f"{name}."
        crosses = any(len({each.startswith(inside) for each in tied}) > 1 for tied in self.ties)
        if inputs is None or crosses:
            return None
        attending = [each.removeprefix(inside) for each in self.attending if each.startswith(inside)]
        try:
            return without_channels(module, TensorBatch(inputs, None), share.below(name), attending, progress)
        except (UntraceableError, EdgekitError):
            return None

    def _layers(self, path: str) -> list[str]:
        inside = f"{path}." if path else ""
        return [f"{inside}{name}" for name, each in self.module.get_submodule(path).named_modules() if is_layer(each)]


def _inputs_of_submodules(module: nn.Module, example: TensorBatch) -> dict[str, tuple[Tensor, ...]]:
    """The first inputs of each submodule that takes only tensors, by name."""
    copy, inputs = deep_copy(module).eval(), dict[str, tuple[Tensor, ...]]()

    def note(name: str, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        if given and not named and all(isinstance(each, Tensor) for each in given):
            inputs.setdefault(name, tuple(each.detach().clone() for each in given))

    for name, each in copy.named_modules():
        each.register_forward_pre_hook(lambda _, given, named, name=name: note(name, given, named), with_kwargs=True)
    with torch.no_grad():
        outputs_of(copy, example)
    return inputs
