"""Rounded activations in a float module: what INT8 does to the inputs of every layer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from edgekit.data.split import Split
from edgekit.training.batches import tensor_batches
from edgekit.training.modules import outputs_of

_LEVELS = 255


@contextmanager
def rounding_inputs(module: nn.Module, calibration: Split, samples: int) -> Iterator[None]:
    """Within, the input of every convolution and linear layer is rounded to 8 bits in the range that it had over
    `samples` of calibration; zero is always a level. In training mode, batch norms keep their statistics.
    """
    kinds = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
    layers: list[nn.Module] = [each for each in module.modules() if isinstance(each, kinds)]
    norms = [each for each in module.modules() if isinstance(each, nn.modules.batchnorm._BatchNorm)]
    ranges = _ranges(module, layers, calibration, samples)
    hooks = [layer.register_forward_pre_hook(_rounding(*ranges[layer])) for layer in layers if layer in ranges]
    hooks += [norm.register_forward_pre_hook(lambda each, _: each.train(False) and None) for norm in norms]
    factors = [(norm.weight, norm.weight.requires_grad) for norm in norms if norm.weight is not None]
    for weight, _ in factors:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for weight, needed in factors:
            weight.requires_grad_(needed)


def _ranges(
    module: nn.Module, layers: list[nn.Module], calibration: Split, samples: int
) -> dict[nn.Module, tuple[float, float]]:
    """The least and the largest input of each layer, zero included."""
    ranges: dict[nn.Module, tuple[float, float]] = {}

    def seen(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        low, high = ranges.get(layer, (0.0, 0.0))
        ranges[layer] = (min(low, inputs[0].min().item()), max(high, inputs[0].max().item()))

    hooks = [layer.register_forward_pre_hook(seen) for layer in layers]
    module.eval()
    with torch.no_grad():
        for batch in tensor_batches(calibration, limit=samples):
            outputs_of(module, batch)
    for hook in hooks:
        hook.remove()
    return ranges


def _rounding(low: float, high: float) -> Callable[[nn.Module, tuple[Tensor, ...]], tuple[Tensor, ...]]:
    scale = max(high - low, 1e-12) / _LEVELS
    zero_point = round(-low / scale)

    def rounded(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        first = torch.fake_quantize_per_tensor_affine(inputs[0], scale, zero_point, 0, _LEVELS)
        return (first, *inputs[1:])

    return rounded
