"""Pooling, and means over axes."""

from math import prod

import numpy as np
import onnx_ir as ir

from edgekit.tflite.images import (
    CHANNELS_LAST,
    WHOLE_STEPS,
    Window,
    image,
    new_image,
    pad_image,
    rank_of,
    settle_image,
    slide_window,
    window_of,
)
from edgekit.tflite.lowering import (
    End,
    LoweredTensor,
    Lowering,
    Order,
    Unsupported,
    constant_of,
    has_same_quant_params,
    input_of,
)
from edgekit.tflite.subgraph import QuantParams

_LEAST = {"int8": -128, "float32": float(np.finfo(np.float32).min)}


def max_pool(work: Lowering, node: ir.Node) -> None:
    if len(node.outputs) > 1 and node.outputs[1].uses():
        raise Unsupported(node, "with the output Indices")
    rank_of(work, node)
    _max_pool(work, node, window_of(work, node, node.attributes.get_ints("kernel_shape", [])))


def global_max_pool(work: Lowering, node: ir.Node) -> None:
    rank_of(work, node)
    _max_pool(work, node, window_of(work, node, work.given_shape(node)[2:]))


def _max_pool(work: Lowering, node: ir.Node, window: Window) -> None:
    if window.dilations != (1, 1):
        raise Unsupported(node, "with dilations")
    given, end = work.at(node), work.end(node.outputs[0])
    tensor = image(work, given)
    tensor, padding = slide_window(work, tensor, window, _LEAST[work.graph.tensors[tensor].kind])
    made = new_image(work, end, given.quant)
    _pool(work, "MAX_POOL_2D", tensor, made, window, padding, "NONE")
    settle_image(work, end, made)


def average_pool(work: Lowering, node: ir.Node) -> None:
    """A window whose padding counts, or whose input and output have different integers, becomes a depthwise convolution
    with ones: pooling keeps its input's quantization parameters."""
    rank_of(work, node)
    window = window_of(work, node, node.attributes.get_ints("kernel_shape", []))
    if window.dilations != (1, 1):
        raise Unsupported(node, "with dilations")
    given, end = work.at(node), work.ends(node)
    ints = given.quant is not None and end.quant is not None
    given = given if ints else work.floats(given)
    tensor = image(work, given)
    sizes = work.graph.tensors[tensor].shape[1:3]
    padding = window.padding((sizes[0], sizes[1]))
    counts = bool(node.attributes.get_int("count_include_pad", 0)) or padding == "VALID"
    if counts and node.attributes.get_int("ceil_mode", 0) == 1 and any(window.after):
        raise Unsupported(node, "with padding included in the average and ceil_mode")
    if not counts and not padding:
        raise Unsupported(node, "with excluded padding that differs from TFLite's")
    if counts:
        tensor, padding = pad_image(work, tensor, window.before, window.after), "VALID"
    if counts and ints and not has_same_quant_params(given.quant, end.quant):
        made = new_image(work, end, end.quant)
        _average_by_ones(work, tensor, made, window, end.activation)
    else:
        made = new_image(work, end, given.quant)
        _pool(work, "AVERAGE_POOL_2D", tensor, made, window, padding, end.activation)
    settle_image(work, end, made)


def _average_by_ones(work: Lowering, tensor: int, made: int, window: Window, activation: str) -> None:
    given = work.graph.tensors[tensor]
    channels, size = given.shape[3], prod(window.kernel)
    assert given.quant is not None
    scale = float(np.float32(1 / size))
    ones = work.graph.constant("ones", np.ones((1, *window.kernel, channels), np.int8), QuantParams((scale,), (0,)))
    nothing = work.graph.constant(
        "nothing", np.zeros(channels, np.int32), QuantParams((given.quant.scale * scale,), (0,))
    )
    options = {**window.options(), **window.dilation_options(), "padding": "VALID", "depthMultiplier": 1}
    work.graph.operator(
        "DEPTHWISE_CONV_2D", [tensor, ones, nothing], made, fusedActivationFunction=activation, **options
    )


def _pool(work: Lowering, kind: str, tensor: int, made: int, window: Window, padding: str, activation: str) -> None:
    options = {"filterHeight": window.kernel[0], "filterWidth": window.kernel[1], "padding": padding}
    work.graph.operator(kind, [tensor], made, fusedActivationFunction=activation, **options, **window.options())


def global_average_pool(work: Lowering, node: ir.Node) -> None:
    rank = rank_of(work, node)
    _mean(work, node, tuple(range(2, rank)), keeps=True)


def reduce_mean(work: Lowering, node: ir.Node) -> None:
    rank = len(work.at(node).order)
    given = constant_of(input_of(node, 1))
    if given is None and input_of(node, 1) is not None:
        raise Unsupported(node, "over axes that are computed")
    result = node.attributes.get_ints("axes", []) if given is None else given.reshape(-1).tolist()
    if not result and node.attributes.get_int("noop_with_empty_axes", 0) == 1:
        raise Unsupported(node, "over no axis")
    axes = tuple(int(axis) % rank for axis in result) or tuple(range(rank))
    _mean(work, node, axes, keeps=bool(node.attributes.get_int("keepdims", 1)))


def _mean(work: Lowering, node: ir.Node, axes: tuple[int, ...], *, keeps: bool) -> None:
    given, end = work.at(node), work.end(node.outputs[0])
    quant = end.quant if given.quant is not None else None
    given = work.on_integers_or_float(given, quant)
    rank = len(given.order)
    if rank == 4 and axes == (2, 3):
        given = work.transpose(given, CHANNELS_LAST[rank])  # kernels are fast in this order
    order = given.order
    if not keeps:
        left = [axis for axis in order if axis not in axes]
        order = tuple(sorted(left).index(axis) for axis in left)
    if quant is not None and given.order[-1] == 1 and axes == tuple(range(2, rank)):
        return _mean_of_image(work, end, given, quant, order)
    made = work.output(end.value, order, quant)
    places = work.graph.numbers("axes", sorted(given.order.index(axis) for axis in axes))
    work.graph.operator("MEAN", [given.tensor, places], made, keepDims=keeps)
    return work.settle(end, LoweredTensor(made, order, quant))


def _mean_of_image(work: Lowering, end: End, given: LoweredTensor, quant: QuantParams, order: Order) -> None:
    """The mean of each channel as a convolution with ones: MEAN in int8 rounds the contribution of the zero points
    first, with an error of up to half an LSB everywhere (observed with tflite-runtime 2.14 and LiteRT 2.3)."""
    batch, *sizes, channels = work.graph.tensors[given.tensor].shape
    count = prod(sizes)
    assert given.quant is not None
    scale = float(np.float32(1 / count))
    columns = work.reshape(given.tensor, (batch, count, channels, 1))
    ones = work.graph.constant("ones", np.ones((1, count, 1, 1), np.int8), QuantParams((scale,), (0,)))
    nothing = work.graph.constant("nothing", np.zeros(1, np.int32), QuantParams((given.quant.scale * scale,), (0,)))
    made = work.graph.tensor(work.name(end.value), "int8", (batch, 1, channels, 1), quant)
    work.graph.operator("CONV_2D", [columns, ones, nothing], made, fusedActivationFunction="NONE", **WHOLE_STEPS)
    shape = [end.shape[axis] for axis in order]
    work.settle(end, LoweredTensor(work.reshape(made, shape), order, quant))
