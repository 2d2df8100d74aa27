"""Lower an ONNX graph, float or in QDQ form, to a TFLite graph: the walk, and what is known of each tensor."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np
import onnx_ir as ir

from edgekit.arrays import Array
from edgekit.errors import StepError
from edgekit.model.passes.rewriting import array_of
from edgekit.tflite.subgraph import QuantParams, Shape, Subgraph

Order = tuple[int, ...]
"""The ONNX axis of each axis of a tensor in the file."""
ACTIVATIONS = ("RELU", "RELU6", "RELU_N1_TO_1")
"""Activations, by the format's names, that the operator before them can include."""
_SIGNED = 128
"""The offset from int8 to uint8."""


class Unsupported(StepError):
    """An operator, or a form of it, without a TFLite form."""

    def __init__(self, node: ir.Node, why: str = "") -> None:
        text = f": {why}" if why else ", an operator that edgekit does not write"
        domain = f"{node.domain}." if node.domain else ""
        super().__init__(
            f"'{node.name or node.outputs[0].name}' is {domain}{node.op_type}{text}",
            "change the model there, or choose a target that runs ONNX",
        )


@dataclass(frozen=True)
class LoweredTensor:
    """An ONNX tensor's place in the file."""

    tensor: int
    order: Order
    quant: QuantParams | None
    """If it is stored as int8."""


@dataclass(frozen=True)
class StoredConstant:
    """A constant in integers."""

    values: Array
    """int8, or int32 for a bias."""
    quant: QuantParams


@dataclass(frozen=True)
class End:
    """An operator's output, with an activation that it includes."""

    value: ir.Value
    activation: str
    quant: QuantParams | None
    """If all readers read the same integers."""
    shape: Shape


@dataclass
class Lowering:
    """The state of lowering one graph."""

    shapes: dict[str, Shape]
    graph: Subgraph = field(default_factory=Subgraph)
    dynamic: bool = False
    """Whether float products get int8 weights and dynamic input ranges."""
    lowered: dict[ir.Value, LoweredTensor] = field(default_factory=dict)
    flattened: dict[int, LoweredTensor] = field(default_factory=dict)
    """The source of a tensor (batch, features) before its values were moved into ONNX's order."""
    gates: dict[int, LoweredTensor] = field(default_factory=dict)
    """The input of a HardSigmoid, by its output."""
    doubled: dict[int, LoweredTensor] = field(default_factory=dict)
    """Maps a tensor to the tensor whose values it reinterprets with another scale."""
    within: set[ir.Node] = field(default_factory=set)
    """Activations that the operator before them includes."""
    _moved: dict[object, int] = field(default_factory=dict)
    _reshaped: dict[int, int] = field(default_factory=dict)

    def shape(self, value: ir.Value) -> Shape:
        """A value's shape in the ONNX graph. Raises StepError if it is unknown."""
        assert value.name is not None
        if value.name not in self.shapes:
            raise StepError(
                f"the shape of '{value.name}' is not known before the model runs",
                "export the model with fixed shapes: only a batch axis may be dynamic",
            )
        return self.shapes[value.name]

    def name(self, value: ir.Value) -> str:
        return value.name or ""

    def given_shape(self, node: ir.Node, place: int = 0) -> Shape:
        """The shape of a node's input. Raises StepError if the input is missing."""
        value = input_of(node, place)
        if value is None:
            raise Unsupported(node, f"without its input {place}")
        return self.shape(value)

    def at(self, node: ir.Node, place: int = 0) -> LoweredTensor:
        """A node's input in the file. Raises StepError if it is a constant or missing."""
        value = input_of(node, place)
        if value is None or value not in self.lowered:
            raise Unsupported(node, f"its input {place} is not a tensor that the graph computes")
        return self.lowered[value]

    def end(self, value: ir.Value, activation: str = "NONE") -> End:
        """A node's output as its readers see it."""
        return End(value, activation, quant_params_after(value), self.shape(value))

    def ends(self, node: ir.Node) -> End:
        """A node's first output, after an activation that it can include."""
        value, activation = node.outputs[0], "NONE"
        follower = only_reader(value)
        if follower is not None and (kind := activation_of(follower)) in ACTIVATIONS:
            value, activation = follower.outputs[0], kind
            self.within.add(follower)
        return self.end(value, activation)

    def bind(self, value: ir.Value, tensor: int, order: Order) -> None:
        """Bind a value, and its quantized form if the tensor is quantized, to a tensor of the file."""
        quant = self.graph.tensors[tensor].quant
        self.lowered[value] = LoweredTensor(tensor, order, quant)
        if quant is not None:
            for reader in readers(value):
                if reader.op_type == "QuantizeLinear" and has_same_quant_params(quant_params_of(reader), quant):
                    self.lowered[reader.outputs[0]] = self.lowered[value]

    def output(self, value: ir.Value, order: Order, quant: QuantParams | None) -> int:
        """A new tensor for a value, with its axes in this order."""
        shape = [self.shape(value)[axis] for axis in order]
        return self.graph.tensor(self.name(value), "int8" if quant else "float32", shape, quant)

    def inner(self, like: int, shape: Sequence[int], suffix: str) -> int:
        """A new tensor with the type of another one."""
        tensor = self.graph.tensors[like]
        return self.graph.tensor(f"{tensor.name}_{suffix}", tensor.kind, shape, tensor.quant)

    def floats(self, given: LoweredTensor) -> LoweredTensor:
        """The tensor in float."""
        if given.quant is None:
            return given
        key = "floats", given.tensor
        if key not in self._moved:
            tensor = self.graph.tensors[given.tensor]
            made = self.graph.tensor(f"{tensor.name}_floats", "float32", tensor.shape)
            self._moved[key] = self.graph.operator("DEQUANTIZE", [given.tensor], made)
        return LoweredTensor(self._moved[key], given.order, None)

    def requantize(self, given: LoweredTensor, quant: QuantParams) -> LoweredTensor:
        """The tensor in integers with these quantization parameters."""
        if has_same_quant_params(given.quant, quant):
            return given
        key = "quant", given.tensor, quant
        if key not in self._moved:
            tensor = self.graph.tensors[given.tensor]
            made = self.graph.tensor(f"{tensor.name}_quant", "int8", tensor.shape, quant)
            self._moved[key] = self.graph.operator("QUANTIZE", [given.tensor], made)
        return LoweredTensor(self._moved[key], given.order, quant)

    def on_integers_or_float(self, given: LoweredTensor, quant: QuantParams | None) -> LoweredTensor:
        """The tensor in integers if an operator computes on integers, else in float."""
        return given if quant is not None else self.floats(given)

    def transpose(self, given: LoweredTensor, order: Order) -> LoweredTensor:
        """The tensor with its axes in this order."""
        if given.order == order:
            return given
        shape = self.graph.tensors[given.tensor].shape
        permutation = tuple(given.order.index(axis) for axis in order)
        if has_same_order(shape, permutation):
            return LoweredTensor(self.reshape(given.tensor, [shape[axis] for axis in permutation]), order, given.quant)
        key = "order", given.tensor, permutation
        if key not in self._moved:
            made = self.inner(given.tensor, [shape[axis] for axis in permutation], "moved")
            axes = self.graph.numbers("permutation", permutation)
            self._moved[key] = self.graph.operator("TRANSPOSE", [given.tensor, axes], made)
        return LoweredTensor(self._moved[key], order, given.quant)

    def plain(self, given: LoweredTensor) -> LoweredTensor:
        """The tensor with its axes in ONNX's order."""
        return self.transpose(given, tuple(range(len(given.order))))

    def reshape(self, tensor: int, shape: Sequence[int]) -> int:
        """A tensor's values, in memory order, with another shape."""
        tensor = self._reshaped.get(tensor, tensor)
        wanted = tuple(int(size) for size in shape)
        if self.graph.tensors[tensor].shape == wanted:
            return tensor
        key = "shape", tensor, wanted
        if key not in self._moved:
            made = self.inner(tensor, wanted, "reshaped")
            self._moved[key] = self.graph.operator("RESHAPE", [tensor], made, newShape=wanted)
            self._reshaped[made] = tensor
        return self._moved[key]

    def settle(self, end: End, made: LoweredTensor) -> None:
        """Bind an operator's output to a tensor, converted to the integers that its readers expect."""
        lowered = made if end.quant is None or made.quant is None else self.requantize(made, end.quant)
        self.bind(end.value, lowered.tensor, lowered.order)


Lower = Callable[[Lowering, ir.Node], None]


def lower_nodes(work: Lowering, nodes: Sequence[ir.Node], lowerings: dict[str, Lower]) -> None:
    """Lower nodes in running order. Raises StepError, which names the first unsupported node."""
    for node in nodes:
        if node in work.within or all(is_constant(value) for value in node.outputs):
            continue
        lower = lowerings.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        if lower is None:
            raise Unsupported(node)
        lower(work, node)


def input_of(node: ir.Node, place: int) -> ir.Value | None:
    return node.inputs[place] if place < len(node.inputs) else None


def readers(value: ir.Value) -> list[ir.Node]:
    return [use.node for use in value.uses()]


def only_reader(value: ir.Value) -> ir.Node | None:
    """The only reader of a value; None if there are several, or if it is an output of the graph."""
    found = readers(value)
    return found[0] if len(found) == 1 and not value.is_graph_output() else None


def activation_of(node: ir.Node) -> str:
    """The format's name of an activation that another operator can include; empty for other nodes."""
    if node.domain:
        return ""
    if node.op_type == "Relu":
        return "RELU"
    if node.op_type == "Clip":
        return {(0.0, 6.0): "RELU6", (-1.0, 1.0): "RELU_N1_TO_1", (0.0, np.inf): "RELU"}.get(limits_of(node), "")
    return ""


def limits_of(node: ir.Node) -> tuple[float, float]:
    """The limits of a Clip; NaN for a limit that is not constant."""
    found = []
    for place, name, default in ((1, "min", -np.inf), (2, "max", np.inf)):
        value = input_of(node, place)
        array = constant_of(value)
        if value is None:
            found.append(node.attributes.get_float(name, default))
        else:
            found.append(float(array.reshape(-1)[0]) if array is not None and array.size == 1 else np.nan)
    # Old exporters write the largest float for a missing limit.
    low, high = (np.copysign(np.inf, each) if abs(each) > 1e38 else each for each in found)
    return float(low), float(high)


def quant_params_of(node: ir.Node) -> QuantParams | None:
    """The quantization parameters of a QuantizeLinear or DequantizeLinear with one scale, for int8; None for others."""
    scale = array_of(input_of(node, 1))
    if scale is None or scale.size != 1:
        return None
    zero = array_of(input_of(node, 2))
    zero = np.zeros(1, np.uint8) if zero is None else zero
    if zero.dtype not in (np.int8, np.uint8):
        return None
    shift = _SIGNED if zero.dtype == np.uint8 else 0
    return QuantParams((float(scale.reshape(-1)[0]),), (int(zero.reshape(-1)[0]) - shift,))


def quant_params_after(value: ir.Value) -> QuantParams | None:
    """The quantization parameters that all readers of a value use; None if they differ."""
    found = readers(value)
    if not found or value.is_graph_output() or any(each.op_type != "QuantizeLinear" for each in found):
        return None
    quants = {quant_params_of(each) for each in found}
    return quants.pop() if len(quants) == 1 else None


def has_same_quant_params(one: QuantParams | None, other: QuantParams | None) -> bool:
    return one is not None and other is not None and (one.scales, one.zeros) == (other.scales, other.zeros)


def is_constant(value: ir.Value) -> bool:
    return stored_constant(value) is not None or array_of(value) is not None


def stored_constant(value: ir.Value | None) -> StoredConstant | None:
    """The integers of a constant that a DequantizeLinear reads; None for others."""
    node = None if value is None else value.producer()
    if node is None or node.op_type != "DequantizeLinear" or node.domain not in ("", "ai.onnx"):
        return None
    values, scale, zero = (array_of(input_of(node, place)) for place in range(3))
    if values is None or scale is None:
        return None
    zeros = np.zeros(scale.shape, values.dtype) if zero is None else zero
    axis = node.attributes.get_int("axis", 1) % max(values.ndim, 1) if scale.size > 1 else 0
    shift = _SIGNED if values.dtype == np.uint8 else 0
    integers = values if values.dtype == np.int32 else (values.astype(np.int16) - shift).astype(np.int8)
    quant = QuantParams(
        tuple(float(each) for each in scale.reshape(-1)),
        tuple(int(each) - shift for each in zeros.reshape(-1)),
        axis,
    )
    return StoredConstant(integers, quant)


def constant_of(value: ir.Value | None) -> Array | None:
    """The float values of a constant in its stored shape, also of a quantized one; None if it is not constant."""
    stored = stored_constant(value)
    if stored is None:
        return array_of(value)
    along = [1] * stored.values.ndim
    if len(stored.quant.scales) > 1:
        along[stored.quant.axis] = -1
    zeros = np.array(stored.quant.zeros, np.float32).reshape(along)
    scales = np.array(stored.quant.scales, np.float32).reshape(along)
    return np.asarray((stored.values.astype(np.float32) - zeros) * scales, np.float32)


def has_same_order(shape: Sequence[int], permutation: Sequence[int]) -> bool:
    """Whether a permutation keeps the memory order: axes longer than 1 stay in sequence."""
    moved = [axis for axis in permutation if shape[axis] != 1]
    return moved == sorted(moved) or prod(shape) == 1
