"""Re-estimate batch-norm statistics, and fold batch norms into the preceding layer."""

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from edgekit.data.split import Split
from edgekit.errors import StepError
from edgekit.training.batches import TensorBatch, tensor_batches
from edgekit.training.modules import device_of_training, outputs_of
from edgekit.training.tally import Loss, tally_at_rest

SAMPLES = 2048
"""Samples of the training split for estimating and checking statistics."""
_TOLERANCE = 1e-3
_LAG = 0.1
"""The relative loss that running statistics may cost before they are re-estimated: differences between batches cost
less, and a module that fails in evaluation mode costs far more."""

Statistics = Literal["re-estimated", "kept"]


def has_batch_norms(module: nn.Module) -> bool:
    """Whether any layer is a batch norm."""
    return any(isinstance(each, _BatchNorm) for each in module.modules())


def reestimate(module: nn.Module, split: Split) -> None:
    """Re-estimate the statistics of every batch norm in place, as means over training batches.

    Other layers are in evaluation mode, so that the statistics are those of inference. A batch norm that stays in
    evaluation mode during training is frozen and left unchanged, as is one that no batch reaches.
    """
    device = device_of_training()
    module.to(device).train()
    norms = [
        each
        for each in module.modules()
        if isinstance(each, _BatchNorm) and each.training and each.running_mean is not None
    ]
    module.eval()
    before = [(each.momentum, _statistics(each)) for each in norms]
    for each in norms:
        each.train().reset_running_stats()
        each.momentum = None
    with torch.no_grad():
        for batch in tensor_batches(split, limit=SAMPLES):
            if norms and len(batch) > 1:
                outputs_of(module, batch.on(device))
    for each, (momentum, statistics) in zip(norms, before, strict=True):
        each.momentum = momentum
        if not each.num_batches_tracked:
            each.load_state_dict(statistics, strict=False)
    module.cpu().eval()


def lag(at_rest: float, trained: float) -> bool:
    """Whether a loss in evaluation mode is more than a tenth above that of the last training epoch, as it is if running
    statistics lag behind the weights because momentum is low or training is short."""
    return not at_rest <= trained + _LAG * abs(trained)


def re_estimate_if_better(module: nn.Module, split: Split, loss: Loss, values: dict[str, float]) -> dict[str, float]:
    """Re-estimate batch-norm statistics, and keep them if that lowers the loss in evaluation mode by more than a tenth.
    `values` is the current result of `tally_at_rest`. Returns the new one, or `values` if the statistics stay.

    The method is precise batch norm (Wu and Johnson, arXiv 2105.07576, section 3).
    """
    before = {name: _statistics(each) for name, each in _norms(module)}
    reestimate(module, split)
    anew = tally_at_rest(module, split, loss, SAMPLES)
    was, now = values["loss"], anew["loss"]
    if math.isfinite(now) and (not math.isfinite(was) or was - now > _LAG * abs(was)):
        return anew
    for name, each in _norms(module):
        each.load_state_dict(before[name], strict=False)
    return values


def _norms(module: nn.Module) -> list[tuple[str, _BatchNorm]]:
    return [(name, each) for name, each in module.named_modules() if isinstance(each, _BatchNorm)]


def _statistics(norm: _BatchNorm) -> dict[str, Tensor]:
    """The running statistics of a batch norm."""
    return {name: each.detach().clone() for name, each in norm.named_buffers()}


def fold(module: nn.Module, example: TensorBatch) -> None:
    """Fold every batch norm that follows a convolution or linear layer into that layer's weights, in place.

    The batch norm stays as a bias: its mean becomes 0, its variance 1, and its weight cancels epsilon, so that shapes
    and names do not change. Raises StepError if the outputs would change.
    """
    module.eval()
    with torch.no_grad():
        before = outputs_of(module, example)
        for layer, norm in _pairs(module, example):
            _fold(layer, norm)
        after = outputs_of(module, example)
    for left, right in zip(before, after, strict=True):
        if (left - right).abs().max() > _TOLERANCE * left.abs().max():
            raise StepError(
                "folding the batch norms changes the model's outputs",
                "only the batch norm may read a layer's output; use the step quantize without qat",
            )


def _pairs(module: nn.Module, example: TensorBatch) -> list[tuple[nn.Module, _BatchNorm]]:
    """Each layer with the batch norm that reads its output, found by running the module once."""
    makers: dict[int, nn.Module] = {}
    kept: list[Tensor] = []
    pairs: list[tuple[nn.Module, _BatchNorm]] = []
    calls: dict[nn.Module, int] = {}

    def made(layer: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        makers[id(output)] = layer
        kept.append(output)
        calls[layer] = calls.get(layer, 0) + 1

    def taken(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        layer = makers.get(id(inputs[0]))
        if layer is not None and isinstance(norm, _BatchNorm):
            pairs.append((layer, norm))

    hooks = []
    for each in module.modules():
        if isinstance(each, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear):
            hooks.append(each.register_forward_hook(made))
        elif isinstance(each, _BatchNorm) and each.affine and each.track_running_stats:
            hooks.append(each.register_forward_pre_hook(taken))
    try:
        outputs_of(module, example)
    finally:
        for hook in hooks:
            hook.remove()
    return [(layer, norm) for layer, norm in pairs if calls[layer] == 1]


def _fold(layer: nn.Module, norm: _BatchNorm) -> None:
    assert norm.running_var is not None and norm.running_mean is not None
    weight, bias = layer.weight, layer.bias
    assert isinstance(weight, Tensor)
    factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    weight.mul_(factor.reshape(-1, *[1] * (weight.ndim - 1)))
    if isinstance(bias, Tensor):
        bias.mul_(factor)
    norm.bias.sub_(norm.running_mean * factor)
    norm.running_mean.zero_()
    norm.running_var.fill_(1.0)
    norm.weight.fill_((1.0 + norm.eps) ** 0.5)
