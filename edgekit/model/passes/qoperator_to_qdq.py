"""Convert the runtime's integer operators to QDQ form, which other runtimes read."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgekit.arrays import Array
from edgekit.model.passes.rewriting import GraphPass, array_of, constant, replace

_BYTES = (ir.DataType.INT8, ir.DataType.UINT8)
_TRIPLES = {"QLinearAdd": "Add", "QLinearMul": "Mul", "QLinearMatMul": "MatMul"}
"""Operators on two tensors, each followed by its scale and zero point, then those of the output."""
_SINGLES = {
    "QLinearGlobalAveragePool": "GlobalAveragePool",
    "QLinearAveragePool": "AveragePool",
    "QLinearSigmoid": "Sigmoid",
    "QLinearLeakyRelu": "LeakyRelu",
    "QLinearSoftmax": "Softmax",
    "QLinearReduceMean": "ReduceMean",
}
"""The same for one tensor."""
_MOVES = {
    "Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "Identity", "MaxPool", "Max", "Min", "Pad", "Reshape",
    "Resize", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze",
}  # fmt: skip
"""Data-movement operators with integer kernels that keep the scale."""
_OWN = {"channels_last", "opset"}
"""Attributes that the standard operators do not have."""


@dataclass(frozen=True)
class _ScaleAndZero:
    scale: ir.Value
    zero: ir.Value | None


@dataclass(frozen=True)
class _Form:
    """A standard operator, the positions of its inputs, each followed by scale and zero point, and that of the output's
    scale."""

    kind: str
    given: tuple[int, ...]
    output: int


class QOperatorToQdqPass(GraphPass):
    """Replace each integer operator by its float equivalent with dequantized inputs and a quantized output; also data
    movement of integers. Operators without an equivalent stay."""

    def apply(self, model: ir.Model) -> None:
        quants: dict[ir.Value, _ScaleAndZero] = {}
        for node in list(model.graph):
            if node.op_type in ("QuantizeLinear", "DequantizeLinear") and node.domain == "com.microsoft":
                node.domain = ""
            if node.op_type == "QuantizeLinear" and node.inputs[1] is not None:
                quants[node.outputs[0]] = _ScaleAndZero(
                    node.inputs[1], node.inputs[2] if len(node.inputs) > 2 else None
                )
            elif (form := _form(node)) is not None:
                _restate(model, node, form, quants)
            elif node.op_type in _MOVES and not node.domain:
                _restate_move(model, node, quants)


def _form(node: ir.Node) -> _Form | None:
    last = node.attributes.get("channels_last")
    if last is not None and last.as_int():
        return None
    if node.op_type == "QLinearConv":
        return _Form("Conv", (0, 3), 6)
    if node.op_type == "QGemm":
        return _Form("Gemm", (0, 3), 7)
    if node.op_type in _TRIPLES:
        return _Form(_TRIPLES[node.op_type], (0, 3), 6)
    if node.op_type in _SINGLES:
        return _Form(_SINGLES[node.op_type], (0,), 3)
    if node.op_type == "QLinearWhere":
        return _Form("Where", (1, 4), 7)
    if node.op_type == "QLinearConcat":
        return _Form("Concat", tuple(range(2, len(node.inputs), 3)), 0)
    return None


def _restate(model: ir.Model, node: ir.Node, form: _Form, quants: dict[ir.Value, _ScaleAndZero]) -> None:
    made_once = {tuple(node.inputs[place : place + 3]): place for place in form.given}
    floats = {key: _dequantize(node, place, form.kind) for key, place in made_once.items()}
    before = list(floats.values())
    given = [floats[tuple(node.inputs[place : place + 3])] for place in form.given]
    inputs: list[ir.Value | None] = [each.outputs[0] for each in given]
    bias = _bias(node, form.kind)
    if bias is not None:
        before.append(bias)
        inputs.append(bias.outputs[0])
    if form.kind == "Where":
        inputs.insert(0, node.inputs[0])
    attributes = {name: each for name, each in node.attributes.items() if name not in _OWN}
    if form.kind == "ReduceMean" and (axes := attributes.pop("axes", None)) is not None:
        inputs.append(constant(node, f"{node.outputs[0].name}_axes", np.array(axes.as_ints(), np.int64)))
    scale = _input(node, form.output)
    made = ir.node(form.kind, inputs, attributes, name=node.name)
    _describe(made.outputs[0], node.outputs[0], "_float")
    if scale is None:
        replace(model, node, [*before, made])
        return
    zero = _input(node, form.output + 1)
    after = ir.node("QuantizeLinear", [made.outputs[0], scale, zero])
    replace(model, node, [*before, made, after])
    quants[after.outputs[0]] = _ScaleAndZero(scale, zero)


def _restate_move(model: ir.Model, node: ir.Node, quants: dict[ir.Value, _ScaleAndZero]) -> None:
    """Convert a data-movement operator whose first input has a scale; constants among its other inputs have the same
    scale."""
    quant = quants.get(node.inputs[0]) if node.inputs and node.inputs[0] is not None else None
    if quant is None:
        return
    before: dict[ir.Value, ir.Node] = {}
    for value in dict.fromkeys(node.inputs):
        if value is not None and (value in quants or (array_of(value) is not None and value.dtype in _BYTES)):
            own = quants.get(value, quant)
            before[value] = ir.node("DequantizeLinear", [value, own.scale, own.zero])
            _describe(before[value].outputs[0], value, "_floats")
    inputs = [before[value].outputs[0] if value in before else value for value in node.inputs]
    made = ir.node(node.op_type, inputs, dict(node.attributes), num_outputs=len(node.outputs), name=node.name)
    after = []
    for value, old in zip(made.outputs, node.outputs, strict=True):
        _describe(value, old, "_float")
        after.append(ir.node("QuantizeLinear", [value, quant.scale, quant.zero]))
        quants[after[-1].outputs[0]] = quant
    _replace_all(model, node, [*before.values(), made], after)


def _replace_all(model: ir.Model, node: ir.Node, before: list[ir.Node], after: list[ir.Node]) -> None:
    """Replace a node by nodes, each node in `after` producing one of its outputs."""
    for extra, old in zip(after[1:], node.outputs[1:], strict=True):
        extra.outputs[0].name, extra.outputs[0].type, extra.outputs[0].shape = old.name, old.type, old.shape
        ir.convenience.replace_all_uses_with(old, extra.outputs[0])
    replace(model, node, [*before, *after[1:], after[0]])


def _dequantize(node: ir.Node, place: int, kind: str) -> ir.Node:
    """Dequantize an input; weights have one scale per channel."""
    value, scale, zero = node.inputs[place], node.inputs[place + 1], node.inputs[place + 2]
    assert value is not None and scale is not None
    channels = array_of(scale)
    attributes = {}
    if channels is not None and channels.size > 1:
        transposed = node.attributes.get("transB")
        attributes["axis"] = 0 if kind == "Conv" or (transposed is not None and transposed.as_int()) else 1
        offset = array_of(zero)
        if offset is not None and offset.size != channels.size:
            whole = np.broadcast_to(offset.reshape(-1), channels.shape).copy()
            zero = constant(node, f"{scale.name}_zeros", whole)
    elif channels is not None and channels.ndim:
        scale, zero = _scalar(node, scale), _scalar(node, zero)
    made = ir.node("DequantizeLinear", [value, scale, zero], attributes)
    _describe(made.outputs[0], value, "_floats")
    return made


def _scalar(node: ir.Node, value: ir.Value | None) -> ir.Value | None:
    """A one-element constant as a scalar."""
    array = array_of(value)
    if value is None or array is None or not array.ndim:
        return value
    return constant(node, f"{value.name}_scalar", array.reshape(()))


def _bias(node: ir.Node, kind: str) -> ir.Node | None:
    """Dequantize a 32-bit bias, whose scale is the product of the input's and the weight's."""
    value = _input(node, {"Conv": 8, "Gemm": 6}.get(kind, len(node.inputs)))
    scales = [array_of(_input(node, place)) for place in (1, 4)]
    if value is None or scales[0] is None or scales[1] is None:
        return None
    alpha = node.attributes.get("alpha")
    factor = np.float32(1.0 if alpha is None else alpha.as_float())
    step: Array = (factor * scales[0].reshape(-1)[0] * scales[1]).astype(np.float32)
    step = step.reshape(()) if step.size == 1 else step.reshape(-1)
    named = constant(node, f"{value.name}_scale", step)
    zero = constant(node, f"{value.name}_zero", np.zeros(step.shape, np.int32))
    made = ir.node("DequantizeLinear", [value, named, zero], {"axis": 0} if step.ndim else {})
    _describe(made.outputs[0], value, "_floats")
    return made


def _input(node: ir.Node, place: int) -> ir.Value | None:
    return node.inputs[place] if place < len(node.inputs) else None


def _describe(value: ir.Value, like: ir.Value, suffix: str) -> None:
    value.name = f"{like.name}{suffix}"
    value.type, value.shape = ir.TensorType(ir.DataType.FLOAT), like.shape
