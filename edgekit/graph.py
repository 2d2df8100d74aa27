"""ONNX files read and counted: inputs, operators, parameters, multiply-accumulates, what is quantized."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Any

import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto

from edgekit.errors import ModelError, first_line
from edgekit.files import write_bytes
from edgekit.traits import Fact, Facts, Format, Trait

_FLOATS = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16}
_INTEGERS = {TensorProto.INT8, TensorProto.UINT8, TensorProto.INT4, TensorProto.UINT4}

# Where each operator that multiplies matrices keeps its weight among its inputs.
_WEIGHT_INPUT = {
    "Conv": 1, "FusedConv": 1, "NhwcFusedConv": 1, "ConvInteger": 1, "QLinearConv": 3, "ConvTranspose": 1,
    "Gemm": 1, "FusedGemm": 1, "QGemm": 3,
    "MatMul": 1, "FusedMatMul": 1, "MatMulInteger": 1, "MatMulIntegerToFloat": 1, "DynamicQuantizeMatMul": 1,
    "QLinearMatMul": 3,
}  # fmt: skip

_INTEGER_OPERATORS = {
    "QLinearConv", "QLinearMatMul", "QGemm", "QLinearAdd", "QLinearMul", "QLinearConcat", "QLinearGlobalAveragePool",
    "QLinearAveragePool", "QLinearSigmoid", "QLinearLeakyRelu", "QLinearSoftmax", "QLinearReduceMean", "QLinearWhere",
    "ConvInteger", "MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "QAttention", "MatMulNBits",
}  # fmt: skip


_DIVISORS = {"group", "strides", "dilations", "kernel_shape"}

# The runtime's own operators: the standard one that gives the same shape, and which inputs it takes.
_STANDARD = {
    "FusedConv": ("Conv", (0, 1)),
    "FusedGemm": ("Gemm", (0, 1)),
    "FusedMatMul": ("MatMul", (0, 1)),
    "MatMulIntegerToFloat": ("MatMul", (0, 1)),
    "DynamicQuantizeMatMul": ("MatMul", (0, 1)),
    "QGemm": ("Gemm", (0, 3)),
    "QLinearAdd": ("Add", (0, 3)),
    "QLinearMul": ("Mul", (0, 3)),
    "QLinearSigmoid": ("Sigmoid", (0,)),
    "QLinearLeakyRelu": ("LeakyRelu", (0,)),
    "QLinearSoftmax": ("Softmax", (0,)),
    "QLinearGlobalAveragePool": ("GlobalAveragePool", (0,)),
    "QLinearAveragePool": ("AveragePool", (0,)),
    "QuantizeLinear": ("QuantizeLinear", (0, 1, 2)),
    "DequantizeLinear": ("DequantizeLinear", (0, 1, 2)),
}


@dataclass(frozen=True)
class Port:
    """One input or output of a model."""

    name: str
    dtype: str
    """numpy's name: float32, int64."""
    shape: tuple[int | str, ...]
    """Numbers, or the names of dynamic axes."""


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


def load_model(path: Path) -> ModelProto:
    """The model in a file, checked. Raises ModelError for anything that is no sound ONNX model."""
    if not path.exists():
        raise ModelError(f"there is no file {path}", "check the path")
    if path.is_dir():
        raise ModelError(f"{path} is a folder, not a model", "name the .onnx file itself")
    try:
        model = onnx.load(str(path))
    except Exception as error:  # protobuf's DecodeError, onnx's external-data errors, memory
        raise ModelError(
            f"{path} is no readable ONNX model: it is truncated, damaged or of another format", "export it again"
        ) from error
    if not model.graph.node and not model.graph.output:
        raise ModelError(f"{path} is no ONNX model: it holds no graph", "name an .onnx file")
    _check_divisors(model, path)
    try:
        # The checker knows only the standard domains: a fused graph is checked by the runtime that loads it.
        if all(each.domain in ("", "ai.onnx", "ai.onnx.ml") for each in model.opset_import):
            onnx.checker.check_model(model)
    except Exception as error:
        raise ModelError(f"{path} is not a valid ONNX model: {first_line(error)}", "export it again") from error
    return model


def _check_divisors(model: ModelProto, path: Path) -> None:
    """onnx's shape inference divides by these without looking, and takes the process down with it."""
    for node in _nodes(model.graph):
        for attribute in node.attribute:
            values = [attribute.i, *attribute.ints] if attribute.name == "group" else list(attribute.ints)
            if attribute.name in _DIVISORS and (min(values, default=1) <= 0):
                raise ModelError(
                    f"{path} is not a valid ONNX model: {attribute.name} is {min(values)}", "export it again"
                )


def inspected(path: Path) -> Inspection:
    """What can be read in a model file. Raises ModelError for a file that is no sound model."""
    model = load_model(path)
    try:
        return _inspection(model)
    except Exception as error:  # a damaged graph may break any assumption: names that are no text, nodes without inputs
        raise ModelError(f"{path} is not a valid ONNX model: {first_line(error)}", "export it again") from error


def _inspection(model: ModelProto) -> Inspection:
    graph = model.graph
    weights = _weights(graph)
    types: Counter[str] = Counter()
    for tensor in weights:
        types[TensorProto.DataType.Name(tensor.data_type).lower()] += prod(tensor.dims)
    operators = Counter(node.op_type for node in _nodes(graph))
    integer, floating = operator_kinds(model)
    return Inspection(
        inputs=_inputs(graph),
        outputs=tuple(_port(each) for each in graph.output),
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


def observed_facts(model: ModelProto) -> Facts:
    """The facts that can be seen in a file: what a step declared is held against them."""
    graph = model.graph
    found: set[Fact] = {Format.ONNX}
    is_integer = any(tensor.data_type in _INTEGERS for tensor in _weights(graph)) or any(
        node.op_type in _INTEGER_OPERATORS for node in _nodes(graph)
    )
    found.add(Trait.INTEGER if is_integer else Trait.FLOAT)
    if all(each.domain in ("", "ai.onnx") for each in model.opset_import if _uses(graph, each.domain)):
        found.add(Trait.PORTABLE)
    made_by_conv = {node.output[0] for node in graph.node if node.op_type in ("Conv", "ConvTranspose")}
    if not any(node.op_type == "BatchNormalization" and node.input[0] in made_by_conv for node in graph.node):
        found.add(Trait.FOLDED)
    outputs = {name for node in graph.node for name in node.output if name}
    if (
        outputs <= {value.name for value in (*graph.value_info, *graph.output)}
        and outputs <= _known_shapes(model).keys()
    ):
        found.add(Trait.SHAPED)
    return frozenset(found)


def operator_kinds(model: ModelProto) -> tuple[int, int]:
    """How many operators compute on integers and how many on floats; conversions between both and pure
    rearrangements (Reshape, Transpose) count as neither."""
    neutral = {
        "QuantizeLinear", "DequantizeLinear", "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Identity",
        "Shape", "Gather", "Concat", "Slice", "Constant", "Cast", "Pad", "MaxPool",
    }  # fmt: skip
    integer = floating = 0
    for node in _nodes(model.graph):
        if node.op_type in _INTEGER_OPERATORS:
            integer += 1
        elif node.op_type not in neutral:
            floating += 1
    return integer, floating


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


def output_step(model: ModelProto) -> dict[str, float]:
    """For each output that leaves a DequantizeLinear with one scale, that scale: the size of one integer step."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    steps = {}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[1] in constants:
            scale = onnx.numpy_helper.to_array(constants[node.input[1]])
            if scale.size == 1:
                steps[node.output[0]] = float(scale.reshape(()))
    return {each.name: steps[each.name] for each in model.graph.output if each.name in steps}


def strip_annotations(path: Path) -> None:
    """Take out what no runtime reads: the exporter's stack traces, doc strings, metadata."""
    model = load_model(path)
    for node in _nodes(model.graph):
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info, *model.graph.initializer):
        value.ClearField("doc_string")
        value.ClearField("metadata_props")
    model.graph.ClearField("doc_string")
    model.graph.ClearField("metadata_props")
    model.ClearField("metadata_props")
    save_model(model, path)


def with_shapes(model: ModelProto) -> ModelProto:
    """The model with the shape of every inner tensor that can be inferred."""
    del model.graph.value_info[:]
    return onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)


def save_model(model: ModelProto, path: Path) -> None:
    """Write a model whole or not at all."""
    write_bytes(path, model.SerializeToString())


def batch_of_one(port: Port, shapes: dict[str, int]) -> tuple[int, ...]:
    """The shape of one sample: the first axis 1 where it is dynamic, other dynamic axes as named in `shapes`.

    Raises ModelError for a dynamic axis that nobody named.
    """
    sizes = []
    for axis, size in enumerate(port.shape):
        if isinstance(size, int) and size > 0:
            sizes.append(size)
        elif str(size) in shapes:
            sizes.append(shapes[str(size)])
        elif axis == 0:
            sizes.append(1)
        else:
            raise ModelError(
                f"input '{port.name}' has the dynamic axis '{size}'", f"say how long it is: --shape {size or axis}=128"
            )
    return tuple(sizes)


def _inputs(graph: GraphProto) -> tuple[Port, ...]:
    constants = {tensor.name for tensor in graph.initializer}
    return tuple(_port(each) for each in graph.input if each.name not in constants)


def _port(value: onnx.ValueInfoProto) -> Port:
    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type") or tensor.elem_type == TensorProto.UNDEFINED:
        return Port(value.name, "unknown", ())
    shape = tuple(d.dim_value if d.HasField("dim_value") else d.dim_param or "?" for d in tensor.shape.dim)
    try:
        dtype = str(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    except KeyError:
        dtype = "unknown"
    return Port(value.name, dtype, shape)


def _nodes(graph: GraphProto) -> Iterator[NodeProto]:
    """The nodes of a graph and of the graphs inside its control flow."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                yield from _nodes(attribute.g)
            for inner in attribute.graphs:
                yield from _nodes(inner)


def _uses(graph: GraphProto, domain: str) -> bool:
    return any(node.domain == domain for node in _nodes(graph))


def _weights(graph: GraphProto) -> list[TensorProto]:
    """The initializers that are weights: not scales, zero points, shapes or indices."""
    helpers = set()
    for node in _nodes(graph):
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            helpers.update(node.input[1:])
        elif node.op_type.startswith("QLinear") or node.op_type == "QGemm":
            position = _WEIGHT_INPUT.get(node.op_type)
            bias = {"QLinearConv": 8, "QGemm": 6}.get(node.op_type)
            helpers.update(name for i, name in enumerate(node.input) if i not in (position, bias))
        elif node.op_type in (
            "Reshape",
            "Slice",
            "Unsqueeze",
            "Squeeze",
            "Pad",
            "Resize",
            "Expand",
            "Tile",
            "ReduceMean",
        ):
            helpers.update(node.input[1:])
    stored = _FLOATS | _INTEGERS | {TensorProto.INT32}
    return [tensor for tensor in graph.initializer if tensor.data_type in stored and tensor.name not in helpers]


def _shapes(graph: GraphProto) -> dict[str, tuple[int, ...]]:
    """Known shapes by tensor; a dynamic first axis counts as 1."""
    known: dict[str, tuple[int, ...]] = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.input, *graph.output, *graph.value_info):
        tensor = value.type.tensor_type
        if not tensor.HasField("shape"):
            continue
        sizes = tuple(
            d.dim_value if d.HasField("dim_value") else 1 if axis == 0 else -1
            for axis, d in enumerate(tensor.shape.dim)
        )
        if -1 not in sizes:
            known[value.name] = sizes
    return known


def _known_shapes(model: ModelProto) -> dict[str, tuple[int, ...]]:
    """The shapes for one sample by tensor, wherever the batch's axis goes: a transformer may carry it second."""
    known = _shapes(model.graph)
    if all(name in known for node in model.graph.node for name in node.output if name):
        return known
    single = ModelProto()
    single.CopyFrom(model)
    del single.graph.value_info[:]
    for value in (*single.graph.input, *single.graph.output):
        sizes = value.type.tensor_type.shape.dim
        if sizes and not sizes[0].HasField("dim_value"):
            sizes[0].dim_value = 1
    return {**known, **_shapes(_inferred(single).graph)}


def _macs(model: ModelProto) -> int | None:
    """Multiply-accumulates of the convolutions and matrix products for one sample."""
    graph = model.graph
    known = _known_shapes(model)
    total = 0
    for node in graph.node:
        position = _WEIGHT_INPUT.get(node.op_type)
        if position is None:
            continue
        weight = known.get(_origin(graph, node.input[position]))
        output = known.get(node.output[0])
        if weight is None or output is None:
            return None
        total += _macs_of(node, weight, prod(output))
    return total


def _inferred(model: ModelProto) -> ModelProto:
    """A copy with inferred shapes, in which the runtime's own operators stand as the standard ones that shape inference
    knows: their outputs have the same shapes. It is good for nothing else."""
    copy = ModelProto()
    copy.CopyFrom(model)
    for node in copy.graph.node:
        if node.op_type in _STANDARD and node.domain not in ("", "ai.onnx"):
            node.op_type, positions = _STANDARD[node.op_type]
            inputs = [node.input[position] for position in positions if position < len(node.input)]
            node.input[:] = inputs
            node.domain = ""
    try:
        return onnx.shape_inference.infer_shapes(copy, data_prop=True)
    except Exception:  # an unknown operator may stop inference: what the file says must do
        return model


def _macs_of(node: NodeProto, weight: tuple[int, ...], outputs: int) -> int:
    """For each element of the output, the products summed into it: kernel x input channels, or the inner axis."""
    if "Conv" in node.op_type:
        if node.op_type == "ConvTranspose":
            return outputs * prod(weight[2:]) * weight[0] // _attribute(node, "group", 1)
        return outputs * prod(weight[1:])
    if "Gemm" in node.op_type:
        return outputs * (weight[1] if _attribute(node, "transB", 0) else weight[0])
    return outputs * (weight[-2] if len(weight) > 1 else weight[0])


def _attribute(node: NodeProto, name: str, default: int) -> int:
    return next((each.i for each in node.attribute if each.name == name), default)


def _origin(graph: GraphProto, name: str) -> str:
    """The initializer behind a weight that passes through DequantizeLinear."""
    for node in graph.node:
        if name in node.output and node.op_type == "DequantizeLinear":
            return str(node.input[0])
    return name
