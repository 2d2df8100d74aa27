"""Elementwise functions, and Softmax."""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from edgekit.tflite.lowering import LoweredTensor, Lowering, Unsupported, activation_of, limits_of
from edgekit.tflite.subgraph import Kind, QuantParams

UNIT = QuantParams((1 / 256,), (-128,))
"""The only quantization parameters that TFLite supports for outputs from 0 to 1; the next for those from -1 to 1."""
BOTH = QuantParams((1 / 128,), (0,))
_FINE = 0.9
"""Relative to these scales: finer ones need a detour through float."""


def _unary(work: Lowering, node: ir.Node, kind: str, **options: float) -> None:
    """An operator with arbitrary quantization parameters."""
    given, end = work.at(node), work.end(node.outputs[0])
    quant = end.quant if given.quant is not None else None
    given = work.on_integers_or_float(given, quant)
    made = work.output(end.value, given.order, quant)
    work.graph.operator(kind, [given.tensor], made, **options)
    work.settle(end, LoweredTensor(made, given.order, quant))


def relu(work: Lowering, node: ir.Node) -> None:
    _unary(work, node, "RELU")


def leaky_relu(work: Lowering, node: ir.Node) -> None:
    _unary(work, node, "LEAKY_RELU", alpha=node.attributes.get_float("alpha", 0.01))


def clip(work: Lowering, node: ir.Node) -> None:
    """Integers within the limits need no operator."""
    kind = activation_of(node)
    if kind in ("RELU", "RELU6"):
        return _unary(work, node, kind)
    given, end, (low, high) = work.at(node), work.end(node.outputs[0]), limits_of(node)
    if np.isnan([low, high]).any():
        raise Unsupported(node, "with computed limits")
    if given.quant is not None and end.quant is not None:
        least, most = end.quant.reaches()
        if low <= least + end.quant.scale / 2 and most - end.quant.scale / 2 <= high:
            return work.settle(end, given)
    lowered = work.floats(given)
    for kind, limit in (("MAXIMUM", low), ("MINIMUM", high)):
        if np.isfinite(limit):
            made = work.output(end.value, lowered.order, None)
            bound = work.graph.constant("limit", np.array([limit], np.float32))
            lowered = LoweredTensor(work.graph.operator(kind, [lowered.tensor, bound], made), lowered.order, None)
    return work.settle(end, lowered)


def bounded_activation(kind: str, natural: QuantParams) -> Callable[[Lowering, ir.Node], None]:
    """A function with fixed output quantization parameters."""

    def lower(work: Lowering, node: ir.Node) -> None:
        _emit_bounded(work, node, work.at(node), kind, natural)

    return lower


sigmoid, tanh = bounded_activation("LOGISTIC", UNIT), bounded_activation("TANH", BOTH)


def softmax(work: Lowering, node: ir.Node) -> None:
    given = work.at(node)
    rank = len(given.order)
    axis = node.attributes.get_int("axis", -1) % rank
    if given.order[-1] != axis:
        given = work.transpose(given, (*(each for each in given.order if each != axis), axis))
    _emit_bounded(work, node, given, "SOFTMAX", UNIT, beta=1.0)


def _emit_bounded(
    work: Lowering, node: ir.Node, given: LoweredTensor, kind: str, natural: QuantParams, **options: float
) -> None:
    end = work.end(node.outputs[0])
    ints = given.quant is not None and end.quant is not None and end.quant.scale >= _FINE * natural.scale
    given = given if ints else work.floats(given)
    made = work.output(end.value, given.order, natural if ints else None)
    work.graph.operator(kind, [given.tensor], made, **options)
    work.settle(end, LoweredTensor(made, given.order, natural if ints else None))


def hard_swish(work: Lowering, node: ir.Node) -> None:
    _unary(work, node, "HARD_SWISH")


def hard_sigmoid(work: Lowering, node: ir.Node) -> None:
    slope = node.attributes.get_float("alpha", 0.2), node.attributes.get_float("beta", 0.5)
    if not is_gate(*slope):
        raise Unsupported(node, f"with alpha {slope[0]:.3g} and beta {slope[1]:.3g}: edgekit writes 1/6 and 0.5")
    end = work.end(node.outputs[0])
    given = work.on_integers_or_float(work.at(node), end.quant)
    made = gate(work, given, work.name(end.value))
    work.settle(end, made)
    work.gates[work.lowered[end.value].tensor] = given


def is_gate(alpha: float, beta: float) -> bool:
    """Whether a HardSigmoid is that of HardSwish (arXiv 1905.02244, section 5.2)."""
    return bool(np.allclose((alpha, beta), (1 / 6, 0.5), atol=1e-6))


def gate(work: Lowering, given: LoweredTensor, name: str) -> LoweredTensor:
    """A HardSigmoid, as a sum clipped at 6 whose integers are reinterpreted with a sixth of the scale."""
    shape, ints = work.graph.tensors[given.tensor].shape, given.quant is not None
    kind: Kind = "int8" if ints else "float32"
    cut, made = (
        work.graph.tensor(f"{name}{part}", kind, shape, QuantParams((top / 255,), (-128,)) if ints else None)
        for part, top in (("_cut", 6.0), ("", 1.0))
    )
    three, sixth = (_one(work, value, ints=ints) for value in (3.0, 1 / 6))
    work.graph.operator("ADD", [given.tensor, three], cut, fusedActivationFunction="RELU6")
    work.graph.operator("MUL", [cut, sixth], made, fusedActivationFunction="NONE")
    lowered = LoweredTensor(made, given.order, work.graph.tensors[made].quant)
    work.gates[made] = given
    return lowered


def rescale(work: Lowering, given: LoweredTensor, quant: QuantParams, factor: float) -> LoweredTensor:
    """Reinterpret integers with `factor` times their scale; the integers do not change."""
    tensor = work.graph.tensors[given.tensor]
    made = work.graph.tensor(f"{tensor.name}_scaled", "int8", tensor.shape, quant)
    work.graph.operator("MUL", [given.tensor, _one(work, factor, ints=True)], made, fusedActivationFunction="NONE")
    work.doubled[made] = given
    return LoweredTensor(made, given.order, quant)


def _one(work: Lowering, value: float, *, ints: bool) -> int:
    """A constant; for integers, 1 with the value as scale."""
    if not ints:
        return work.graph.constant("constant", np.array([value], np.float32))
    return work.graph.constant("constant", np.ones(1, np.int8), QuantParams((float(np.float32(value)),), (0,)))
