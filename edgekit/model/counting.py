"""ONNX files counted: inputs, operators, parameters, multiply-accumulates, what is quantized."""

from collections import Counter
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Any

from onnx import GraphProto, ModelProto, NodeProto, TensorProto

from edgekit.errors import ModelError, first_line
from edgekit.model.facts import observed_facts
from edgekit.model.operators import WEIGHT_INPUT, attribute, nodes, operator_kinds, weights
from edgekit.model.ports import Port, inputs_of, port_of
from edgekit.model.reading import load_model
from edgekit.model.shapes import known_shapes


@dataclass(frozen=True)
class Inspection:
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    opset: dict[str, int]
    operators: dict[str, int]
    weight_types: dict[str, int]
    """Elements of weights by stored type."""
    parameters: int
    macs: int | None
    """Multiply-accumulates for one sample; None where a shape stays unknown."""
    integer_operators: int
    float_operators: int
    """Operators that compute on floats although the model holds integers; all of them in a float model."""
    traits: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def inspected(path: Path) -> Inspection:
    """What can be read in a model file. Raises ModelError for a file that is no sound model."""
    model = load_model(path)
    try:
        return _inspection(model)
    except Exception as error:  # a damaged graph may break any assumption: names that are no text, nodes without inputs
        raise ModelError(f"{path} is not a valid ONNX model: {first_line(error)}", "export it again") from error


def _inspection(model: ModelProto) -> Inspection:
    graph = model.graph
    stored = weights(graph)
    types: Counter[str] = Counter()
    for tensor in stored:
        types[TensorProto.DataType.Name(tensor.data_type).lower()] += prod(tensor.dims)
    operators = Counter(node.op_type for node in nodes(graph))
    integer, floating = operator_kinds(model)
    return Inspection(
        inputs=inputs_of(graph),
        outputs=tuple(port_of(each) for each in graph.output),
        opset={each.domain or "ai.onnx": each.version for each in model.opset_import},
        operators=dict(sorted(operators.items(), key=lambda each: (-each[1], each[0]))),
        weight_types=dict(types),
        parameters=sum(types.values()),
        macs=_macs(model),
        integer_operators=integer,
        float_operators=floating,
        traits=tuple(sorted(observed_facts(model))),
    )


def described(path: Path) -> dict[str, Any]:
    """What a step notes about the ONNX file that it leaves."""
    found = inspected(path)
    return {
        "bytes": path.stat().st_size,
        "nodes": sum(found.operators.values()),
        "operators": found.operators,
        "parameters": found.parameters,
        "macs": found.macs,
    }


def _macs(model: ModelProto) -> int | None:
    """Multiply-accumulates of the convolutions and matrix products for one sample."""
    graph = model.graph
    known = known_shapes(model)
    total = 0
    for node in graph.node:
        position = WEIGHT_INPUT.get(node.op_type)
        if position is None:
            continue
        weight = known.get(_origin(graph, node.input[position]))
        output = known.get(node.output[0])
        if weight is None or output is None:
            return None
        total += _macs_of(node, weight, prod(output))
    return total


def _macs_of(node: NodeProto, weight: tuple[int, ...], outputs: int) -> int:
    """For each element of the output, the products summed into it: kernel x input channels, or the inner axis."""
    if "Conv" in node.op_type:
        if node.op_type == "ConvTranspose":
            return outputs * prod(weight[2:]) * weight[0] // attribute(node, "group", 1)
        return outputs * prod(weight[1:])
    if "Gemm" in node.op_type:
        return outputs * (weight[1] if attribute(node, "transB", 0) else weight[0])
    return outputs * (weight[-2] if len(weight) > 1 else weight[0])


def _origin(graph: GraphProto, name: str) -> str:
    """The initializer behind a weight that passes through DequantizeLinear."""
    for node in graph.node:
        if name in node.output and node.op_type == "DequantizeLinear":
            return str(node.input[0])
    return name
