"""Simulate integer rounding of activations in a float module."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.overrides import TorchFunctionMode

from edgekit.data.split import Split
from edgekit.training.batches import tensor_batches
from edgekit.training.modules import device_of_training, outputs_of
from edgekit.training.weight_constraints import Constraint, WeightConstraints

_LEVELS = 255
_WEIGHTED = {
    "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "linear",
}  # fmt: skip
"""Functions with weights, which the weight constraint rounds."""
_COMPUTING = _WEIGHTED | {
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "add", "add_", "avg_pool1d", "avg_pool2d",
    "avg_pool3d", "bmm", "cat", "concat", "elu", "gelu", "hardsigmoid", "hardswish", "interpolate", "leaky_relu",
    "matmul", "mean", "mul", "mul_", "prelu", "sigmoid", "silu", "sub", "sub_", "tanh",
}  # fmt: skip
"""Functions with integer kernels that compute. A ReLU, a max pool and data movement pass values on."""

Ranges = dict[str, tuple[float, float]]
_Read = Callable[[str, Tensor], Tensor]


class Rounding(Constraint):
    """Keeps weights on their levels, and rounds the inputs of every operator that computes to 8 bits within a range.

    Observers determine the ranges before each epoch of the first half of the training: minimum and maximum over
    `samples` calibration samples, including zero. Then they are frozen. Batch norms are frozen from the start.
    """

    def __init__(
        self, module: nn.Module, held: WeightConstraints, calibration: Split, samples: int, *, symmetric: bool
    ) -> None:
        super().__init__(module, held)
        self.calibration = calibration
        self.samples = samples
        self.symmetric = symmetric
        self.ranges: Ranges = {}
        self.norms = [each for each in module.modules() if isinstance(each, _BatchNorm)]
        self.trainable = [each.weight for each in self.norms if each.weight is not None and each.weight.requires_grad]
        for each in self.trainable:
            each.requires_grad_(False)

    def epoch_started(self, module: nn.Module, epoch: int, epochs: int) -> None:
        if 2 * epoch < epochs:
            self.ranges = self.observe(module)
            module.train()
        for each in self.norms:
            each.eval()

    @contextmanager
    def apply(self, module: nn.Module) -> Iterator[None]:
        with super().apply(module), _reading(module, self._round):
            yield

    def settle(self, module: nn.Module) -> None:
        super().settle(module)
        for each in self.trainable:
            each.requires_grad_(True)

    def state(self) -> dict[str, Any]:
        return {"ranges": self.ranges}

    def resume(self, state: Mapping[str, Any]) -> None:
        self.ranges = dict(state["ranges"])

    def observe(self, module: nn.Module) -> Ranges:
        """The range of every operator input, by place. The module is left in evaluation mode."""
        ranges: Ranges = {}

        def seen(where: str, read: Tensor) -> Tensor:
            low, high = ranges.get(where, (0.0, 0.0))
            ranges[where] = (min(low, read.min().item()), max(high, read.max().item()))
            return read

        device = device_of_training()
        module.to(device).eval()
        with torch.no_grad(), super().apply(module), _reading(module, seen):
            for batch in tensor_batches(self.calibration, limit=self.samples):
                outputs_of(module, batch.on(device))
        return {where: ends for where, ends in ranges.items() if all(map(_is_finite, ends))}

    def drift(self, module: nn.Module) -> float:
        """The largest relative difference of a range's width from that used in training."""
        now = self.observe(module)
        module.cpu()
        widths = {where: high - low for where, (low, high) in self.ranges.items() if high > low}
        return max(
            (
                abs(end - trained) / width
                for where, width in widths.items()
                for end, trained in zip(now.get(where, (0.0, 0.0)), self.ranges[where], strict=True)
            ),
            default=0.0,
        )

    def _round(self, where: str, read: Tensor) -> Tensor:
        if where not in self.ranges:
            return read
        low, high = self.ranges[where]
        if self.symmetric:
            low, high = -max(-low, high), max(-low, high)
        scale = max(high - low, 1e-12) / _LEVELS
        return torch.fake_quantize_per_tensor_affine(read, scale, round(-low / scale), 0, _LEVELS)


@contextmanager
def _reading(module: nn.Module, read: _Read) -> Iterator[None]:
    """Within the context, `read` is called for each activation that an operator of `module` reads."""
    mode = _Reading(read)
    hooks = []
    for name, each in module.named_modules():
        hooks.append(each.register_forward_pre_hook(lambda _, __, name=name: mode.enter(name)))
        hooks.append(each.register_forward_hook(lambda _, __, ___: mode.leave(), always_call=True))
    try:
        with mode:
            yield
    finally:
        for hook in hooks:
            hook.remove()


class _Reading(TorchFunctionMode):
    """Passes the place to the reader: the innermost module, the function, the index of its call there, and of the
    operand."""

    def __init__(self, read: _Read) -> None:
        super().__init__()
        self.read = read
        self.inside: list[str] = []
        self.calls: Counter[str] = Counter()

    def enter(self, name: str) -> None:
        if not self.inside:
            self.calls.clear()
        self.inside.append(name)

    def leave(self) -> None:
        self.inside.pop()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if self.inside and name in _COMPUTING:
            call = f"{self.inside[-1]} {name}"
            args = self._read(f"{call} {self.calls[call]}", name, args)
            self.calls[call] += 1
        return func(*args, **(kwargs or {}))

    def _read(self, where: str, name: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
        if args and isinstance(args[0], list | tuple):
            return (self._read(where, name, tuple(args[0])), *args[1:])
        operands = args[:1] if name in _WEIGHTED else args
        given = [self.read(f"{where} {i}", each) if _is_activation(each) else each for i, each in enumerate(operands)]
        if name.endswith("_") and _is_activation(args[0]):
            given[0] = args[0].copy_(given[0])  # in-place functions must change the caller's tensor
        return (*given, *args[len(given) :])


def _is_activation(value: Any) -> bool:
    return isinstance(value, Tensor) and not isinstance(value, nn.Parameter) and value.is_floating_point()


def _is_finite(value: float) -> bool:
    return abs(value) < float("inf")
