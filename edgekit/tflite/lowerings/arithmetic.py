"""Elementwise arithmetic of two tensors."""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from edgekit.tflite.lowering import LoweredTensor, Lowering, Order, Unsupported, constant_of, input_of, stored_constant
from edgekit.tflite.subgraph import QuantParams


def binary(kind: str, *, on_integers: bool) -> Callable[[Lowering, ir.Node], None]:
    """Lower ONNX's operator to the format's operator of this kind."""

    def lower(work: Lowering, node: ir.Node) -> None:
        if len(node.inputs) != 2:
            raise Unsupported(node, f"of {len(node.inputs)} tensors")
        end = work.ends(node)
        operands = [_Operand(work, node, place) for place in range(2)]
        order = next((each.order for each in operands if len(each.order) == len(end.shape)), None)
        order = tuple(range(len(end.shape))) if order is None else order
        ints = on_integers and end.quant is not None and all(each.is_integer for each in operands)
        made = work.output(end.value, order, end.quant if ints else None)
        given = _gated_product(work, operands) if kind == "MUL" and end.activation == "NONE" else None
        if given is not None:
            given = work.transpose(work.on_integers_or_float(given, end.quant if ints else None), order)
            work.graph.operator("HARD_SWISH", [given.tensor], made)
        else:
            tensors = [each.tensor(order, ints=ints) for each in operands]
            work.graph.operator(kind, tensors, made, fusedActivationFunction=end.activation)
        work.settle(end, LoweredTensor(made, order, end.quant if ints else None))

    return lower


def _gated_product(work: Lowering, operands: "list[_Operand]") -> LoweredTensor | None:
    """The operand that is multiplied with its own HardSigmoid; None if there is none."""
    lowered = [each.lowered for each in operands]
    for one, other in (lowered, lowered[::-1]):
        if one is not None and other is not None and work.gates.get(other.tensor) == one:
            return one
    return None


class _Operand:
    def __init__(self, work: Lowering, node: ir.Node, place: int) -> None:
        self.work = work
        self.value = input_of(node, place)
        self.lowered = work.lowered.get(self.value) if self.value is not None else None
        self.stored = stored_constant(self.value)
        self.constant = constant_of(self.value)
        if self.lowered is None and self.constant is None:
            raise Unsupported(node, f"its input {place} is not a tensor that the graph computes")

    @property
    def order(self) -> Order:
        """Empty for a constant, which can take the other operand's order."""
        return () if self.lowered is None else self.lowered.order

    @property
    def is_integer(self) -> bool:
        if self.lowered is not None:
            return self.lowered.quant is not None
        return self.stored is not None and self.stored.values.dtype == np.int8 and len(self.stored.quant.scales) == 1

    def tensor(self, order: Order, *, ints: bool) -> int:
        """The operand with its axes in this order, with leading axes of length 1 if it has fewer."""
        rank = len(order)
        if self.lowered is not None:
            lowered = self.lowered if ints else self.work.floats(self.lowered)
            if len(lowered.order) < rank:
                shape = self.work.graph.tensors[self.work.plain(lowered).tensor].shape
                wide = self.work.reshape(self.work.plain(lowered).tensor, (1,) * (rank - len(shape)) + shape)
                lowered = LoweredTensor(wide, tuple(range(rank)), lowered.quant)
            return self.work.transpose(lowered, order).tensor
        assert self.constant is not None
        quant: QuantParams | None = None
        array = np.asarray(self.constant, np.float32)
        if ints and self.stored is not None:
            array, quant = self.stored.values, self.stored.quant
        array = array.reshape((1,) * (rank - array.ndim) + array.shape).transpose(order)
        name = self.value.name if self.value is not None else None
        return self.work.graph.constant(name or "constant", array, quant)


def batch_norm(work: Lowering, node: ir.Node) -> None:
    """A batch norm that no convolution absorbs scales and shifts each channel, in float."""
    gamma, beta, mean, variance = (constant_of(input_of(node, place)) for place in range(1, 5))
    if gamma is None or beta is None or mean is None or variance is None:
        raise Unsupported(node, "its statistics are computed")
    given, end = work.floats(work.at(node)), work.ends(node)
    factor = gamma / np.sqrt(variance + node.attributes.get_float("epsilon", 1e-5))
    shape = [-1 if axis == 1 else 1 for axis in given.order]
    tensors = [
        work.graph.constant(name, np.asarray(array, np.float32).reshape(shape))
        for name, array in (("factor", factor), ("shift", beta - mean * factor))
    ]
    scaled = work.inner(given.tensor, work.graph.tensors[given.tensor].shape, "scaled")
    work.graph.operator("MUL", [given.tensor, tensors[0]], scaled, fusedActivationFunction="NONE")
    made = work.output(end.value, given.order, None)
    work.graph.operator("ADD", [scaled, tensors[1]], made, fusedActivationFunction=end.activation)
    work.settle(end, LoweredTensor(made, given.order, None))
