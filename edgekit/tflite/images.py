"""Sliding windows with padding, and channels-last images. A sequence is an image of one row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from edgekit.tflite.lowering import End, LoweredTensor, Lowering, Order, Unsupported, readers
from edgekit.tflite.subgraph import QuantParams

CHANNELS_LAST = {3: (0, 2, 1), 4: (0, 2, 3, 1)}

WHOLE_STEPS = {"padding": "VALID", "strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
"""The options of a convolution with stride 1 and no padding."""

Pair = tuple[int, int]

_SLIDING = {
    "AveragePool", "Conv", "ConvTranspose", "DepthToSpace", "GlobalAveragePool", "GlobalMaxPool", "MaxPool", "Resize",
    "Upsample",
}  # fmt: skip
_THROUGH = {
    "Add", "BatchNormalization", "Clip", "Div", "DequantizeLinear", "Identity", "Mul", "Pad", "QuantizeLinear", "Relu",
    "Sub",
}  # fmt: skip
"""Operators that keep the order of axes."""


def preferred_order(value: ir.Value, rank: int) -> Order:
    """The axis order that the first operators with a preference want for an input."""
    return _preferred_order(value, rank, set()) or tuple(range(rank))


def _preferred_order(value: ir.Value, rank: int, seen: set[ir.Value]) -> Order | None:
    if value in seen:
        return None
    seen.add(value)
    for node in readers(value):
        if node.op_type in _SLIDING and rank in CHANNELS_LAST:
            return CHANNELS_LAST[rank]
        if node.op_type in _THROUGH:
            found = _preferred_order(node.outputs[0], rank, seen)
        elif node.op_type == "Transpose":
            moved = node.attributes.get_ints("perm", range(rank - 1, -1, -1))
            behind = _preferred_order(node.outputs[0], rank, seen)
            found = None if behind is None else tuple(moved[axis] for axis in behind)
        else:
            found = None
        if found is not None:
            return found
    return None


@dataclass(frozen=True)
class Window:
    """Sizes are pairs for rows and columns."""

    kernel: Pair
    strides: Pair
    dilations: Pair
    before: Pair
    after: Pair

    def padding(self, sizes: Pair) -> str:
        """The format's name of this padding for an image of these sizes: SAME, VALID, or empty."""
        if not any((*self.before, *self.after)):
            return "VALID"
        same = [self._same(axis, size) for axis, size in enumerate(sizes)]
        return "SAME" if same == list(zip(self.before, self.after, strict=True)) else ""

    def _same(self, axis: int, size: int) -> Pair:
        covered = (-(-size // self.strides[axis]) - 1) * self.strides[axis] + self.reach(axis)
        missing = max(covered - size, 0)
        return missing // 2, missing - missing // 2

    def reach(self, axis: int) -> int:
        """The extent of the dilated kernel along an axis."""
        return (self.kernel[axis] - 1) * self.dilations[axis] + 1

    def options(self) -> dict[str, int]:
        return {"strideH": self.strides[0], "strideW": self.strides[1]}

    def dilation_options(self) -> dict[str, int]:
        return {"dilationHFactor": self.dilations[0], "dilationWFactor": self.dilations[1]}


def rank_of(work: Lowering, node: ir.Node) -> int:
    """The rank of a node's input. Raises StepError if it is neither a sequence nor an image."""
    rank = len(work.given_shape(node))
    if rank not in CHANNELS_LAST:
        raise Unsupported(node, f"over {max(rank - 2, 0)} spatial dimensions; TFLite supports one and two")
    return rank


def window_of(work: Lowering, node: ir.Node, kernel: Sequence[int]) -> Window:
    """A node's window, with the padding that follows from its output's size if that is rounded up."""
    dims = len(kernel)
    strides, dilations = (list(node.attributes.get_ints(name, [1] * dims)) for name in ("strides", "dilations"))
    sizes, given = work.given_shape(node)[2:], work.shape(node.outputs[0])[2:]
    pads = list(node.attributes.get_ints("pads", [0] * (2 * dims)))
    before, after = pads[:dims], pads[dims:]
    automatic = node.attributes.get_string("auto_pad", "NOTSET")
    for axis in range(dims):
        reach = (kernel[axis] - 1) * dilations[axis] + 1
        missing = (given[axis] - 1) * strides[axis] + reach - sizes[axis]
        if automatic.startswith("SAME"):
            small, large = max(missing, 0) // 2, -(-max(missing, 0) // 2)
            before[axis], after[axis] = (small, large) if automatic == "SAME_UPPER" else (large, small)
        else:
            after[axis] = max(after[axis], missing - before[axis])
    return Window(
        *(_pair(each, fill) for each, fill in ((kernel, 1), (strides, 1), (dilations, 1), (before, 0), (after, 0)))
    )


def _pair(values: Sequence[int], fill: int) -> Pair:
    return (int(values[0]), int(values[1])) if len(values) == 2 else (fill, int(values[0]))


def image(work: Lowering, given: LoweredTensor) -> int:
    """A tensor with axes (batch, rows, columns, channels)."""
    rank = len(given.order)
    tensor = work.transpose(given, CHANNELS_LAST[rank]).tensor
    shape = work.graph.tensors[tensor].shape
    return tensor if rank == 4 else work.reshape(tensor, (shape[0], 1, *shape[1:]))


def new_image(work: Lowering, end: End, quant: QuantParams | None) -> int:
    """A new tensor of this form for an operator's output."""
    batch, channels, *sizes = end.shape
    shape = (batch, *_pair(sizes, 1), channels)
    return work.graph.tensor(work.name(end.value), "int8" if quant else "float32", shape, quant)


def settle_image(work: Lowering, end: End, tensor: int) -> None:
    """Bind an operator's output to an image."""
    rank = len(end.shape)
    shape = work.graph.tensors[tensor].shape
    lowered = tensor if rank == 4 else work.reshape(tensor, (shape[0], *shape[2:]))
    work.settle(end, LoweredTensor(lowered, CHANNELS_LAST[rank], work.graph.tensors[tensor].quant))


def pad_image(work: Lowering, tensor: int, before: Pair, after: Pair, fill: Any = None) -> int:
    """Pad an image with rows and columns of the zero point, or of the stored value `fill`."""
    if not any((*before, *after)):
        return tensor
    shape = work.graph.tensors[tensor].shape
    around = ((0, 0), (before[0], after[0]), (before[1], after[1]), (0, 0))
    made = work.inner(tensor, [size + sum(pads) for size, pads in zip(shape, around, strict=True)], "padded")
    inputs = [tensor, work.graph.numbers("around", around)]
    if fill is None:
        return work.graph.operator("PAD", inputs, made)
    given = work.graph.tensors[tensor]
    value = work.graph.constant("fill", np.array(fill, given.kind), given.quant)
    return work.graph.operator("PADV2", [*inputs, value], made)


def slide_window(work: Lowering, tensor: int, window: Window, fill: Any = None) -> tuple[int, str]:
    """The image for a window, padded explicitly if the format has no name for its padding, and the name of the
    remaining padding."""
    shape = work.graph.tensors[tensor].shape
    padding = window.padding((shape[1], shape[2]))
    if padding:
        return tensor, padding
    return pad_image(work, tensor, window.before, window.after, fill), "VALID"
