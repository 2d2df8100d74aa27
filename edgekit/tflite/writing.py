"""Write an ONNX model as a .tflite file: in float, in float with int8 weights or, from QDQ form, in integers."""

from dataclasses import dataclass, replace
from math import prod

import onnx_ir as ir
from onnx import ModelProto

from edgekit.errors import StepError
from edgekit.model.constants import fold
from edgekit.model.operators import opset_of
from edgekit.model.shapes import known_shapes
from edgekit.model.versions import CHANNEL_SCALES, upgrade_opset
from edgekit.tflite.images import preferred_order
from edgekit.tflite.lowering import LoweredTensor, Lowering, Order, lower_nodes, quant_params_after
from edgekit.tflite.lowerings import LOWERINGS
from edgekit.tflite.packing import pack
from edgekit.tflite.subgraph import Subgraph

_BYTES = (ir.DataType.INT8, ir.DataType.UINT8)


@dataclass(frozen=True)
class WrittenModel:
    """A model in TFLite form."""

    data: bytes
    graph: Subgraph
    orders: dict[str, Order]
    """For inputs and outputs whose axis order differs from the ONNX model's: the ONNX axis of each of their axes."""
    names: dict[str, dict[str, int]]
    """The tensors of `inputs` and `outputs` by name."""
    integers: dict[str, LoweredTensor]
    """The ONNX model's 8-bit tensors that exist in the file."""

    def with_integer_outputs(self) -> bytes:
        """A file whose outputs are all of `integers`, named as in the ONNX model."""
        names = {name: lowered.tensor for name, lowered in self.integers.items()}
        orders = {name: order for name, order in self.orders.items() if name in self.names["inputs"]}
        orders |= {name: lowered.order for name, lowered in self.integers.items()}
        graph = replace(self.graph, outputs=list(names.values()))
        return pack(graph, {"inputs": self.names["inputs"], "outputs": names}, orders)


def write_model(model: ModelProto, *, integer_ports: bool = False, dynamic: bool = False) -> WrittenModel:
    """Write the model for one sample, with channels-last images.

    With `integer_ports`, quantized inputs and outputs are int8; with `dynamic`, the weights of float products are.
    Raises StepError for an operator without a TFLite form, with its name, and for a tensor whose shape depends on the
    data.
    """
    copy = ModelProto()
    copy.CopyFrom(upgrade_opset(model, CHANNEL_SCALES))  # in older opsets, Softmax treats several axes as one
    shapes = known_shapes(copy)
    while fold(copy.graph, shapes, opset_of(copy)):
        pass
    inside = ir.from_proto(copy)
    work = Lowering(shapes, dynamic=dynamic)
    inputs = [each for each in inside.graph.inputs if each.name not in inside.graph.initializers]
    for value in inputs:
        _place_input(work, value, integer=integer_ports)
    lower_nodes(work, list(inside.graph), LOWERINGS)
    for value in inside.graph.outputs:
        _place_output(work, value, integer=integer_ports)
    orders = {
        work.name(value): work.lowered[value].order
        for value in (*inputs, *inside.graph.outputs)
        if list(work.lowered[value].order) != sorted(work.lowered[value].order) and prod(work.shape(value)) > 1
    }
    graph, places = work.graph.without_unused()
    names = {
        "inputs": dict(zip(map(work.name, inputs), graph.inputs, strict=True)),
        "outputs": dict(zip(map(work.name, inside.graph.outputs), graph.outputs, strict=True)),
    }
    return WrittenModel(pack(graph, names, orders), graph, orders, names, _integers(work, graph, places))


def _integers(work: Lowering, graph: Subgraph, places: dict[int, int]) -> dict[str, LoweredTensor]:
    """Each tensor of the file once, by the first ONNX tensor that it represents."""
    made = {number for each in graph.operators for number in each.outputs}
    found: dict[int, tuple[str, LoweredTensor]] = {}
    for value, lowered in work.lowered.items():
        number = places.get(lowered.tensor)
        if number in made and number not in found and value.dtype in _BYTES and value.name:
            found[number] = value.name, replace(lowered, tensor=number)
    return dict(found.values())


def _place_input(work: Lowering, value: ir.Value, *, integer: bool) -> None:
    if value.dtype is not ir.DataType.FLOAT:
        raise StepError(
            f"the input '{value.name}' has the type {value.dtype}, but edgekit writes TFLite models with float "
            "inputs only",
            "export the model with float32 inputs",
        )
    order = preferred_order(value, len(work.shape(value)))
    tensor = work.output(value, order, quant_params_after(value) if integer else None)
    work.graph.inputs.append(tensor)
    work.bind(value, tensor, order)


def _place_output(work: Lowering, value: ir.Value, *, integer: bool) -> None:
    """Give an output a tensor of its own."""
    if value not in work.lowered:
        raise StepError(
            f"the output '{value.name}' does not depend on any input",
            "remove it from the model: it is the same in every run",
        )
    lowered = work.lowered[value]
    if not integer:
        lowered = work.floats(lowered)
    if lowered.tensor in (*work.graph.inputs, *work.graph.outputs):
        shape = work.graph.tensors[lowered.tensor].shape
        copied = work.inner(lowered.tensor, shape, "output")
        lowered = LoweredTensor(
            work.graph.operator("RESHAPE", [lowered.tensor], copied, newShape=shape), lowered.order, lowered.quant
        )
    work.lowered[value] = lowered
    work.graph.outputs.append(lowered.tensor)
