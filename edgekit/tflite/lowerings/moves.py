"""Data-movement operators."""

from collections.abc import Sequence
from math import prod

import numpy as np
import onnx_ir as ir

from edgekit.tflite.images import CHANNELS_LAST
from edgekit.tflite.lowering import End, LoweredTensor, Lowering, Order, Unsupported, constant_of, input_of
from edgekit.tflite.subgraph import QuantParams


def _ints(node: ir.Node, place: int, name: str, default: Sequence[int] | None = None) -> list[int] | None:
    """Numbers that newer opsets have as an input and older ones as an attribute. Raises StepError for computed ones."""
    value = input_of(node, place)
    if value is None:
        result = node.attributes.get_ints(name, None)
        return list(result) if result is not None else (None if default is None else list(default))
    array = constant_of(value)
    if array is None:
        raise Unsupported(node, f"with computed '{name}'")
    return [int(each) for each in array.reshape(-1)]


def concat(work: Lowering, node: ir.Node) -> None:
    end = work.end(node.outputs[0])
    parts = [work.lowered.get(value) if value is not None else None for value in node.inputs]
    known = [each for each in parts if each is not None]
    if not known:
        raise Unsupported(node, "of constants alone")
    order = known[0].order
    quant = _common_grid(end, known) if len(known) == len(parts) else None
    tensors = []
    for place, part in enumerate(parts):
        if part is None:
            array = constant_of(input_of(node, place))
            if array is None:
                raise Unsupported(node, f"its input {place} is not a tensor that the graph computes")
            tensors.append(work.graph.constant("part", np.asarray(array, np.float32).transpose(order)))
        else:
            alike = work.floats(part) if quant is None else work.requantize(part, quant)
            tensors.append(work.transpose(alike, order).tensor)
    made = work.output(end.value, order, quant)
    axis = order.index(node.attributes.get_int("axis", 0) % len(order))
    work.graph.operator("CONCATENATION", tensors, made, axis=axis, fusedActivationFunction="NONE")
    work.settle(end, LoweredTensor(made, order, quant))


def _common_grid(end: End, parts: Sequence[LoweredTensor]) -> QuantParams | None:
    """The quantization parameters to which all parts are converted: those of the readers, else those that the parts
    share."""
    quants = {part.quant for part in parts}
    if None in quants:
        return None
    return end.quant if end.quant is not None else (quants.pop() if len(quants) == 1 else None)


def slices(work: Lowering, node: ir.Node) -> None:
    given, end = work.at(node), work.end(node.outputs[0])
    shape, rank = work.given_shape(node), len(given.order)
    starts, stops = (_ints(node, place, name) for place, name in ((1, "starts"), (2, "ends")))
    if starts is None or stops is None:
        raise Unsupported(node, "without starts and ends")
    axes = _ints(node, 3, "axes", range(len(starts))) or []
    steps = _ints(node, 4, "steps", [1] * len(starts)) or []
    begin, stride = [0] * rank, [1] * rank
    for axis, start, stop, step in zip(axes, starts, stops, steps, strict=True):
        first, _, stride[axis % rank] = slice(start, stop, step).indices(shape[axis % rank])
        begin[axis % rank] = first
    if any(step < 0 for step in stride):
        raise Unsupported(node, "backwards")
    _cut(work, end, given, begin, end.shape, stride)


def _cut(
    work: Lowering, end: End, given: LoweredTensor, begin: Sequence[int], sizes: Sequence[int], stride: Sequence[int]
) -> None:
    order = given.order
    made = work.output(end.value, order, given.quant)
    first, size, step = (tuple(each[axis] for axis in order) for each in (begin, sizes, stride))
    if all(each == 1 for each in step):
        numbers = [work.graph.numbers("begin", first), work.graph.numbers("size", size)]
        work.graph.operator("SLICE", [given.tensor, *numbers], made)
    else:
        last = tuple(at + (count - 1) * by + 1 for at, count, by in zip(first, size, step, strict=True))
        numbers = [work.graph.numbers(name, each) for name, each in (("begin", first), ("end", last), ("stride", step))]
        masks = dict.fromkeys(("beginMask", "endMask", "ellipsisMask", "newAxisMask", "shrinkAxisMask"), 0)
        work.graph.operator("STRIDED_SLICE", [given.tensor, *numbers], made, **masks)
    work.settle(end, LoweredTensor(made, order, given.quant))


def split(work: Lowering, node: ir.Node) -> None:
    given = work.at(node)
    rank = len(given.order)
    axis = node.attributes.get_int("axis", 0) % rank
    at = 0
    for number in range(len(node.outputs)):
        end = work.end(node.outputs[number])
        begin = [at if each == axis else 0 for each in range(rank)]
        _cut(work, end, given, begin, end.shape, [1] * rank)
        at += end.shape[axis]


def pad(work: Lowering, node: ir.Node) -> None:
    given, end = work.at(node), work.end(node.outputs[0])
    rank, mode = len(given.order), node.attributes.get_string("mode", "constant")
    pads = _ints(node, 1, "pads")
    if pads is None or min(pads, default=0) < 0:
        raise Unsupported(node, "with a size of zero or less")
    result = _ints(node, 3, "axes")
    axes = list(range(rank)) if result is None else [axis % rank for axis in result]
    around = [(0, 0)] * rank
    for place, axis in enumerate(axes):
        around[axis] = pads[place], pads[place + len(axes)]
    if mode not in ("constant", "reflect"):
        raise Unsupported(node, f"in mode {mode}")
    fill = _fill(node, given) if mode == "constant" else 0.0
    if given.quant is not None and fill is None:
        given = work.floats(given)
        fill = _fill(node, given)
    order, places = given.order, work.graph.numbers("around", tuple(around[axis] for axis in given.order))
    made = work.output(end.value, order, given.quant)
    nought = given.quant.zero if given.quant else 0.0
    if mode == "reflect":
        work.graph.operator("MIRROR_PAD", [given.tensor, places], made, mode="REFLECT")
    elif fill == nought:
        work.graph.operator("PAD", [given.tensor, places], made)
    else:
        value = work.graph.constant("fill", np.array(fill, "int8" if given.quant else "float32"), given.quant)
        work.graph.operator("PADV2", [given.tensor, places, value], made)
    work.settle(end, LoweredTensor(made, order, given.quant))


def _fill(node: ir.Node, given: LoweredTensor) -> float | None:
    """The stored fill value; None if it is outside the integer range. Raises StepError for a computed one."""
    value = input_of(node, 2)
    if value is None:
        result = node.attributes.get_float("value", 0.0)
        is_stored = False
    else:
        array = constant_of(value)
        if array is None:
            raise Unsupported(node, "with a value that is computed")
        result = float(array.reshape(-1)[0])
        is_stored = array.dtype in (np.int8, np.uint8)
        if is_stored:
            return result - (128 if array.dtype == np.uint8 else 0)
    if given.quant is None:
        return result
    least, most = given.quant.reaches()
    if not least - given.quant.scale / 2 <= result <= most + given.quant.scale / 2:
        return None
    return float(np.clip(np.rint(result / given.quant.scale) + given.quant.zero, -128, 127))


def reshape(work: Lowering, node: ir.Node) -> None:
    """The values are first moved into ONNX's order, unless a following matrix product does not need that."""
    given, end = work.at(node), work.end(node.outputs[0])
    plain = work.plain(given)
    tensor = work.reshape(plain.tensor, end.shape)
    shape = work.given_shape(node)
    if plain.tensor != given.tensor and end.shape == (shape[0], prod(shape[1:])):
        work.flattened[tensor] = given
    work.settle(end, LoweredTensor(tensor, tuple(range(len(end.shape))), given.quant))


def squeeze(work: Lowering, node: ir.Node) -> None:
    shape = work.given_shape(node)
    result = _ints(node, 1, "axes")
    gone = {axis % len(shape) for axis in result} if result else {axis for axis, size in enumerate(shape) if size == 1}
    given, end = work.at(node), work.end(node.outputs[0])
    left = [axis for axis in given.order if axis not in gone]
    order = tuple(sorted(left).index(axis) for axis in left)
    _as(work, end, given, order)


def unsqueeze(work: Lowering, node: ir.Node) -> None:
    given, end = work.at(node), work.end(node.outputs[0])
    rank = len(end.shape)
    new = {axis % rank for axis in _ints(node, 1, "axes") or ()}
    old = [axis for axis in range(rank) if axis not in new]
    _as(work, end, given, (*(old[axis] for axis in given.order), *sorted(new)))


def _as(work: Lowering, end: End, given: LoweredTensor, order: Order) -> None:
    tensor = work.reshape(given.tensor, [end.shape[axis] for axis in order])
    work.settle(end, LoweredTensor(tensor, order, given.quant))


def transpose(work: Lowering, node: ir.Node) -> None:
    """Transpose emits no operator; only the recorded axis order changes."""
    given, end = work.at(node), work.end(node.outputs[0])
    rank = len(given.order)
    moved = list(node.attributes.get_ints("perm", range(rank - 1, -1, -1)))
    work.settle(end, LoweredTensor(given.tensor, tuple(moved.index(axis) for axis in given.order), given.quant))


def same(work: Lowering, node: ir.Node) -> None:
    work.settle(work.end(node.outputs[0]), work.at(node))


def depth_to_space(work: Lowering, node: ir.Node) -> None:
    if node.attributes.get_string("mode", "DCR") != "DCR":
        raise Unsupported(node, "in mode CRD, whose channel order differs from TFLite's")
    given, end = work.transpose(work.at(node), CHANNELS_LAST[4]), work.end(node.outputs[0])
    made = work.output(end.value, given.order, given.quant)
    work.graph.operator("DEPTH_TO_SPACE", [given.tensor], made, blockSize=node.attributes.get_int("blocksize", 1))
    work.settle(end, LoweredTensor(made, given.order, given.quant))
