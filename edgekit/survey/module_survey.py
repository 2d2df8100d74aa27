"""The survey of a module: load it and run it over one training batch."""

from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from edgekit.data.splits import Splits
from edgekit.project.project import Project
from edgekit.pruning.share import PrunableUnits
from edgekit.pruning.units import prunable_units
from edgekit.survey.survey import Survey
from edgekit.training.batches import tensor_batches, tensor_example
from edgekit.training.batchnorms import has_batch_norms
from edgekit.training.modules import outputs_of, parameter_count, untrained_module
from edgekit.traits import Data, Role

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


class _Calls(TorchFunctionMode):
    """Detects attention: torch's own function, or a softmax whose result enters a matrix product."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = False
        self.softmax: list[Any] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name in ("scaled_dot_product_attention", "multi_head_attention_forward"):
            self.attention = True
        if name in ("matmul", "bmm", "einsum", "__matmul__"):
            self.attention |= any(any(each is one for one in self.softmax) for each in args)
        given = func(*args, **(kwargs or {}))
        if name == "softmax":
            self.softmax.append(given)
        return given


def survey_of(project: Project, splits: Splits, role: Role) -> Survey:
    """The survey of a role's module, as its entry point defines it."""
    module = untrained_module(project, role)
    batch = next(tensor_batches(splits[Data.TRAIN]))
    calls = _Calls()
    with calls, torch.no_grad():
        outputs_of(module, batch)
    layers = [each for each in module.modules() if isinstance(each, (*_CONVOLUTIONS, nn.Linear))]
    channels = [int(getattr(each, "out_channels", 0) or getattr(each, "out_features", 0)) for each in layers]
    convolves = any(isinstance(each, _CONVOLUTIONS) for each in layers)
    return Survey(
        architecture="transformer" if calls.attention else "cnn" if convolves else "other",
        parameters=parameter_count(module),
        channels=tuple(channels[:-1]),
        batch_norms=has_batch_norms(module),
    )


def prunable_units_of(project: Project, splits: Splits, role: Role) -> PrunableUnits:
    """What pruning can remove from a role's module."""
    return prunable_units(untrained_module(project, role), tensor_example(splits[Data.TRAIN]))
