"""Convolutions and matrix products."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import onnx_ir as ir

from edgekit.arrays import Array
from edgekit.tflite.images import WHOLE_STEPS, Window, image, new_image, rank_of, settle_image, slide_window, window_of
from edgekit.tflite.lowering import (
    End,
    LoweredTensor,
    Lowering,
    StoredConstant,
    Unsupported,
    constant_of,
    input_of,
    stored_constant,
)
from edgekit.tflite.subgraph import QuantParams

_WORTH_ROUNDING = 1024
"""Elements: TensorFlow's own converter also leaves smaller tensors in float."""


@dataclass(frozen=True)
class _Product:
    """The operands of a product in the form in which they are computed."""

    given: LoweredTensor
    weights: Array
    """In ONNX's order: int8 or float32."""
    quant: QuantParams | None
    """Of the weights."""
    bias: Array
    """int32 for an integer sum, else float32."""
    bias_grid: QuantParams | None
    end: End

    @property
    def output_grid(self) -> QuantParams | None:
        return self.end.quant if self.bias.dtype == np.int32 else None


def _operands(
    work: Lowering, node: ir.Node, channel_axis: int, bias: ir.Value | None, *, per_channel: bool
) -> _Product:
    """In integers if input, weights and output all are. Otherwise in float or, if requested, in float with int8
    weights, with `per_channel` scales."""
    given, end = work.at(node), work.ends(node)
    stored, weights = stored_constant(node.inputs[1]), constant_of(node.inputs[1])
    if weights is None:
        raise Unsupported(node, "its weights are computed; TFLite needs constant weights")
    channels = weights.shape[channel_axis]
    constant = constant_of(bias)
    if constant is not None and constant.size not in (1, channels):
        raise Unsupported(node, "its bias differs from row to row")
    if (
        given.quant is not None
        and end.quant is not None
        and stored is not None
        and _is_computable(stored, channel_axis)
    ):
        scales = [given.quant.scale * scale for scale in stored.quant.scales]
        bias_grid = QuantParams(tuple(np.array(scales, np.float32).tolist()), (0,) * len(scales))
        added = _integer_bias(node, bias, bias_grid, channels)
        return _Product(given, stored.values, stored.quant, added, bias_grid, end)
    if bias is not None and constant is None:
        raise Unsupported(node, "its bias is computed; TFLite needs a constant bias")
    added = np.zeros(channels, np.float32) if constant is None else _broadcast(constant, channels)
    weights = np.asarray(weights, np.float32)
    quant = None
    if work.dynamic and weights.size >= _WORTH_ROUNDING:
        weights, quant = _round_weights(weights, channel_axis if per_channel else None)
    return _Product(work.floats(given), weights, quant, added, None, end)


def _is_computable(stored: StoredConstant, channel_axis: int) -> bool:
    """Whether kernels support such weights: signed, symmetric, with at most one scale per output channel."""
    quant = stored.quant
    return (
        stored.values.dtype == np.int8
        and not any(quant.zeros)
        and (len(quant.scales) == 1 or quant.axis == channel_axis)
    )


def _integer_bias(node: ir.Node, bias: ir.Value | None, quant: QuantParams, channels: int) -> Array:
    """A bias in the scale of the sum that it is added to."""
    if bias is None:
        return np.zeros(channels, np.int32)
    stored = stored_constant(bias)
    if (
        stored is not None
        and stored.values.dtype == np.int32
        and np.allclose(stored.quant.scales, quant.scales, 1e-6, 0)
    ):
        return _broadcast(stored.values, channels)
    floats = constant_of(bias)
    if floats is None:
        raise Unsupported(node, "its bias is computed; TFLite needs a constant bias")
    steps = np.rint(_broadcast(floats, channels).astype(np.float64) / np.array(quant.scales, np.float64))
    limits = np.iinfo(np.int32)
    return np.asarray(steps.clip(limits.min, limits.max), np.int32)


def _broadcast(bias: Array, channels: int) -> Array:
    return np.ascontiguousarray(np.broadcast_to(bias.reshape(-1), (channels,)))


def _round_weights(weights: Array, axis: int | None) -> tuple[Array, QuantParams]:
    """Weights as symmetric int8, with one scale, or one along an axis."""
    others = None if axis is None else tuple(each for each in range(weights.ndim) if each != axis)
    largest = np.abs(weights).max(axis=others, keepdims=True)
    scales = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    values = np.rint(weights / scales).astype(np.int8)
    return values, QuantParams(tuple(scales.reshape(-1).tolist()), (0,) * scales.size, axis or 0)


def _weights(work: Lowering, node: ir.Node, values: Array, quant: QuantParams | None, axis: int) -> int:
    """The constant of weights in the file's order, with the channel axis `axis`."""
    moved = None if quant is None else QuantParams(quant.scales, quant.zeros, axis if len(quant.scales) > 1 else 0)
    return work.graph.constant(_name(node, 1), values, moved)


def _bias(work: Lowering, node: ir.Node, product: _Product) -> int:
    return work.graph.constant(_name(node, 2), product.bias, product.bias_grid)


def _name(node: ir.Node, place: int) -> str:
    value = input_of(node, place)
    return (value.name if value is not None else None) or f"{node.outputs[0].name}_{place}"


def conv(work: Lowering, node: ir.Node) -> None:
    rank_of(work, node)
    product = _operands(work, node, 0, input_of(node, 2), per_channel=True)
    values, group = product.weights, node.attributes.get_int("group", 1)
    window = window_of(work, node, values.shape[2:])
    values = values if values.ndim == 4 else values[:, :, None]
    tensor, padding = slide_window(work, image(work, product.given), window)
    channels = work.graph.tensors[tensor].shape[3]
    options = {"padding": padding, **window.options(), **window.dilation_options()}
    options["fusedActivationFunction"] = product.end.activation
    if 1 < group == channels:
        weights = _weights(work, node, values.transpose(1, 2, 3, 0), product.quant, 3)
        kind, options["depthMultiplier"] = "DEPTHWISE_CONV_2D", len(values) // channels
    else:
        kind, weights = "CONV_2D", _weights(work, node, values.transpose(0, 2, 3, 1), product.quant, 0)
    made = new_image(work, product.end, product.output_grid)
    work.graph.operator(kind, [tensor, weights, _bias(work, node, product)], made, **options)
    settle_image(work, product.end, made)


def transposed_conv(work: Lowering, node: ir.Node) -> None:
    rank = rank_of(work, node)
    if node.attributes.get_int("group", 1) != 1:
        raise Unsupported(node, "with groups, which TFLite's transposed convolution does not support")
    if any(each != 1 for each in node.attributes.get_ints("dilations", [1])):
        raise Unsupported(node, "with dilations, which TFLite's transposed convolution does not support")
    product = _operands(work, node, 1, input_of(node, 2), per_channel=True)
    values = product.weights if rank == 4 else product.weights[:, :, None]
    weights = _weights(work, node, values.transpose(1, 2, 3, 0), product.quant, 0)
    tensor = image(work, product.given)
    made = new_image(work, product.end, product.output_grid)
    given, wanted = (work.graph.tensors[each].shape for each in (tensor, made))
    window = _transposed_window(node, values.shape[2:], given[1:3], wanted[1:3])
    whole = [
        (size - 1) * stride + kernel
        for size, stride, kernel in zip(given[1:3], window.strides, window.kernel, strict=True)
    ]
    missing = [large - size for large, size in zip(whole, wanted[1:3], strict=True)]
    if any(size < before for size, before in zip(missing, window.before, strict=True)):
        raise Unsupported(node, "its output_padding is larger than its pads")
    options = {**window.options(), "fusedActivationFunction": product.end.activation}
    same = all(before == size // 2 for before, size in zip(window.before, missing, strict=True))
    cut = any(missing) and not same
    target = work.inner(made, (given[0], *whole, wanted[3]), "whole") if cut else made
    shape = work.graph.tensors[target].shape
    inputs = [work.graph.numbers("shape", shape), weights, tensor, _bias(work, node, product)]
    padding = "SAME" if same and any(missing) else "VALID"
    work.graph.operator("TRANSPOSE_CONV", inputs, target, padding=padding, **options)
    if cut:
        begin = work.graph.numbers("begin", (0, *window.before, 0))
        work.graph.operator("SLICE", [target, begin, work.graph.numbers("size", wanted)], made)
    settle_image(work, product.end, made)


def _transposed_window(node: ir.Node, kernel: Sequence[int], given: Sequence[int], wanted: Sequence[int]) -> Window:
    """The padding is what the output lacks of the area that the windows cover."""
    dims = len(node.attributes.get_ints("strides", [])) or len(node.attributes.get_ints("kernel_shape", [1, 1]))
    strides = [1] * (2 - dims) + list(node.attributes.get_ints("strides", [1] * dims))
    automatic = node.attributes.get_string("auto_pad", "NOTSET")
    extra = [0] * (2 - dims) + list(node.attributes.get_ints("output_padding", [0] * dims))
    pads = list(node.attributes.get_ints("pads", [0] * (2 * dims)))
    before = [0] * (2 - dims) + pads[:dims]
    if automatic.startswith("SAME") or "output_shape" in node.attributes:
        total = [
            (size - 1) * stride + length + more - large
            for size, stride, length, more, large in zip(given, strides, kernel, extra, wanted, strict=True)
        ]
        before = [each // 2 if automatic == "SAME_UPPER" else -(-each // 2) for each in total]
    ones = (1, 1)
    return Window((kernel[0], kernel[1]), (strides[0], strides[1]), ones, (before[0], before[1]), (0, 0))


def gemm(work: Lowering, node: ir.Node) -> None:
    if node.attributes.get_int("transA", 0):
        raise Unsupported(node, "with transA")
    if any(node.attributes.get_float(name, 1.0) != 1.0 for name in ("alpha", "beta")):
        raise Unsupported(node, "with alpha or beta other than 1: simplify the model first")
    is_transposed = bool(node.attributes.get_int("transB", 0))
    _dense(work, node, 0 if is_transposed else 1, input_of(node, 2))


def matmul(work: Lowering, node: ir.Node) -> None:
    if len(work.shape(node.outputs[0])) < 2 or constant_of(input_of(node, 1)) is None:
        raise Unsupported(node, "of two computed tensors, or of a vector")
    if len(work.given_shape(node, 1)) != 2:
        raise Unsupported(node, "with a batch of weight matrices")
    _dense(work, node, 1, None)


def _dense(work: Lowering, node: ir.Node, channel_axis: int, bias: ir.Value | None) -> None:
    product = _operands(work, node, channel_axis, bias, per_channel=False)
    given, values = _features(work, product, product.weights if channel_axis == 0 else product.weights.T)
    end, quant = product.end, product.output_grid
    options = {"fusedActivationFunction": end.activation}
    if product.quant is not None and len(product.quant.scales) > 1:
        # Older runtimes support one scale for the weights of a fully connected layer, and one per channel for a
        # convolution.
        rows = prod(end.shape[:-1])
        weights = _weights(work, node, values[:, None, None], product.quant, 0)
        pixels = work.reshape(given, (1, 1, rows, values.shape[1]))
        made = work.graph.tensor(work.name(end.value), "int8", (1, 1, rows, len(values)), quant)
        work.graph.operator("CONV_2D", [pixels, weights, _bias(work, node, product)], made, **WHOLE_STEPS, **options)
        made = work.reshape(made, end.shape)
    else:
        inputs = [given, _weights(work, node, values, product.quant, 0), _bias(work, node, product)]
        made = work.graph.tensor(work.name(end.value), "int8" if quant else "float32", end.shape, quant)
        work.graph.operator("FULLY_CONNECTED", inputs, made, keepNumDims=len(end.shape) > 2, **options)
    work.settle(end, LoweredTensor(made, tuple(range(len(end.shape))), quant))


def _features(work: Lowering, product: _Product, values: Array) -> tuple[int, Array]:
    """The input as (..., features), and the weights (channels, features) in the order of the features: a flattened
    image keeps its memory order."""
    source = work.flattened.get(product.given.tensor)
    if source is None or source.order[0] != 0:
        return work.plain(product.given).tensor, values
    batch, *lengths = work.graph.tensors[source.tensor].shape
    sizes = [lengths[source.order.index(axis) - 1] for axis in range(1, len(source.order))]
    moved = values.reshape(-1, *sizes).transpose(0, *source.order[1:]).reshape(len(values), -1)
    return work.reshape(source.tensor, (batch, prod(sizes))), np.ascontiguousarray(moved)
