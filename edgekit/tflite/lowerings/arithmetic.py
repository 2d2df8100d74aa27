"""Elementwise arithmetic of two tensors."""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from edgekit.tflite.lowering import Lowering, Order, Placed, Unsupported, constant_of, input_of, stored_constant
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
        ints = on_integers and end.grid is not None and all(each.is_integer for each in operands)
        made = work.output(end.value, order, end.grid if ints else None)
        given = _gated_product(work, operands) if kind == "MUL" and end.activation == "NONE" else None
        if given is not None:
            given = work.ordered(work.as_wanted(given, end.grid if ints else None), order)
            work.graph.operator("HARD_SWISH", [given.tensor], made)
        else:
            tensors = [each.tensor(order, ints=ints) for each in operands]
            work.graph.operator(kind, tensors, made, fusedActivationFunction=end.activation)
        work.settle(end, Placed(made, order, end.grid if ints else None))

    return lower


def _gated_product(work: Lowering, operands: "list[_Operand]") -> Placed | None:
    """The operand that is multiplied with its own HardSigmoid; None if there is none."""
    placed = [each.placed for each in operands]
    for one, other in (placed, placed[::-1]):
        if one is not None and other is not None and work.gates.get(other.tensor) == one:
            return one
    return None


class _Operand:
    def __init__(self, work: Lowering, node: ir.Node, place: int) -> None:
        self.work = work
        self.value = input_of(node, place)
        self.placed = work.placed.get(self.value) if self.value is not None else None
        self.stored = stored_constant(self.value)
        self.constant = constant_of(self.value)
        if self.placed is None and self.constant is None:
            raise Unsupported(node, f"its input {place} is no tensor that the graph computes")

    @property
    def order(self) -> Order:
        """Empty for a constant, which can take the other operand's order."""
        return () if self.placed is None else self.placed.order

    @property
    def is_integer(self) -> bool:
        if self.placed is not None:
            return self.placed.grid is not None
        return self.stored is not None and self.stored.values.dtype == np.int8 and len(self.stored.grid.scales) == 1

    def tensor(self, order: Order, *, ints: bool) -> int:
        """The operand with its axes in this order, with leading axes of length 1 if it has fewer."""
        rank = len(order)
        if self.placed is not None:
            placed = self.placed if ints else self.work.floats(self.placed)
            if len(placed.order) < rank:
                shape = self.work.graph.tensors[self.work.plain(placed).tensor].shape
                wide = self.work.reshaped(self.work.plain(placed).tensor, (1,) * (rank - len(shape)) + shape)
                placed = Placed(wide, tuple(range(rank)), placed.grid)
            return self.work.ordered(placed, order).tensor
        assert self.constant is not None
        grid: QuantParams | None = None
        array = np.asarray(self.constant, np.float32)
        if ints and self.stored is not None:
            array, grid = self.stored.values, self.stored.grid
        array = array.reshape((1,) * (rank - array.ndim) + array.shape).transpose(order)
        name = self.value.name if self.value is not None else None
        return self.work.graph.constant(name or "constant", array, grid)


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
    work.settle(end, Placed(made, given.order, None))
