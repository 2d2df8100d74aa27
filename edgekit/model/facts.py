"""Facts that can be observed in a graph: traits, activation types, output scales."""

from collections import Counter

import onnx
from onnx import GraphProto, ModelProto, TensorProto

from edgekit.model.operators import INTEGER_OPERATORS, INTEGERS, nodes
from edgekit.model.weights import weights
from edgekit.traits import Fact, Facts, Format, Trait

_RANGING = {"DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM"}
_QOPERATORS = {kind for kind in INTEGER_OPERATORS if kind.startswith("Q")}
_INTEGERS = {TensorProto.DataType.Name(kind).lower() for kind in INTEGERS}


def observed_facts(model: ModelProto) -> Facts:
    """The facts that a file shows, against which a step's contract is checked."""
    graph = model.graph
    found: set[Fact] = {Format.ONNX}
    is_integer = any(weight.kind in _INTEGERS for weight in weights(model)) or any(
        node.op_type in INTEGER_OPERATORS for node in nodes(graph)
    )
    found.add(Trait.INTEGER if is_integer else Trait.FLOAT)
    if all(each.domain in ("", "ai.onnx") for each in model.opset_import if _uses(graph, each.domain)):
        found.add(Trait.PORTABLE)
    if not any(node.op_type in _RANGING for node in nodes(graph)):
        found.add(Trait.STATIC)
    readers = Counter((*(name for node in nodes(graph) for name in node.input), *(each.name for each in graph.output)))
    own = {
        node.output[0]
        for node in graph.node
        if node.op_type in ("Conv", "ConvTranspose") and readers[node.output[0]] == 1
    }
    if not any(node.op_type == "BatchNormalization" and node.input[0] in own for node in graph.node):
        found.add(Trait.FOLDED)
    return frozenset(found)


def activation_types(model: ModelProto) -> set[str]:
    """The integer types (int8, uint8) of the activations that enter integer operators or leave QuantizeLinear."""
    types = {tensor.name: TensorProto.DataType.Name(tensor.data_type).lower() for tensor in model.graph.initializer}
    zero_points = {"QuantizeLinear": 2, "QLinearConv": 2, "QGemm": 2, "QLinearMatMul": 2, "QLinearAdd": 2}
    found = set()
    for node in model.graph.node:
        position = zero_points.get(node.op_type)
        if position is not None and len(node.input) > position and node.input[position] in types:
            found.add(types[node.input[position]])
    return found


def integer_forms_of(model: ModelProto) -> list[str]:
    """The forms in which a model's integers are written (QDQ, QOperator, dynamic, weights only), by its operators."""
    kinds = {node.op_type for node in nodes(model.graph)}
    held = {
        "QDQ": "QuantizeLinear" in kinds and "DequantizeLinear" in kinds and not kinds & _QOPERATORS,
        "QOperator": bool(kinds & _QOPERATORS),
        "dynamic": bool(kinds & _RANGING),
        "weights only": "MatMulNBits" in kinds or ("DequantizeLinear" in kinds and "QuantizeLinear" not in kinds),
    }
    return [form for form, holds in held.items() if holds]


def output_step(model: ModelProto) -> dict[str, float]:
    """The scale, which is one LSB, of each output that comes from a DequantizeLinear with one scale."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    steps = {}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[1] in constants:
            scale = onnx.numpy_helper.to_array(constants[node.input[1]])
            if scale.size == 1:
                steps[node.output[0]] = float(scale.reshape(()))
    return {each.name: steps[each.name] for each in model.graph.output if each.name in steps}


def _uses(graph: GraphProto, domain: str) -> bool:
    return any(node.domain == domain for node in nodes(graph))
