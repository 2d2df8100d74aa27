"""Serialize a graph to the bytes of a .tflite file: buffers are aligned, and equal ones are stored once."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from flatbuffers import Builder

from edgekit.arrays import Array
from edgekit.tflite.schema import schema
from edgekit.tflite.subgraph import NONE, Operator, QuantParams, Subgraph, Tensor

ALIGNMENT = 16
"""The format's alignment of buffers in bytes, because kernels read them in place."""
IDENTIFIER = b"TFL3"
ORDERS = "edgekit.orders"
"""The metadata entry for inputs and outputs whose axis order differs from the ONNX model's."""

_OPTIONS = {
    "ADD": "AddOptions", "SUB": "SubOptions", "MUL": "MulOptions", "DIV": "DivOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions", "MAX_POOL_2D": "Pool2DOptions", "CONCATENATION": "ConcatenationOptions",
    "CONV_2D": "Conv2DOptions", "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions", "TRANSPOSE_CONV": "TransposeConvOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions", "LEAKY_RELU": "LeakyReluOptions", "MEAN": "ReducerOptions",
    "RESHAPE": "ReshapeOptions", "RESIZE_BILINEAR": "ResizeBilinearOptions",
    "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighborOptions", "SOFTMAX": "SoftmaxOptions",
    "STRIDED_SLICE": "StridedSliceOptions", "TRANSPOSE": "TransposeOptions",
    "DEPTH_TO_SPACE": "DepthToSpaceOptions", "MIRROR_PAD": "MirrorPadOptions",
}  # fmt: skip
"""The record of an operator's options; other operators have none."""

_ENUMS = {"padding": "Padding", "fusedActivationFunction": "ActivationFunctionType", "mode": "MirrorPadMode"}

_INTEGER_VERSIONS = {
    "ADD": 2, "SUB": 2, "MUL": 2, "AVERAGE_POOL_2D": 2, "MAX_POOL_2D": 2, "CONCATENATION": 2, "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3, "TRANSPOSE_CONV": 3, "FULLY_CONNECTED": 4, "LEAKY_RELU": 2, "LOGISTIC": 2, "TANH": 2,
    "SOFTMAX": 2, "RELU": 2, "RELU6": 2, "MEAN": 2, "PAD": 2, "PADV2": 2, "RESIZE_BILINEAR": 2,
    "RESIZE_NEAREST_NEIGHBOR": 2, "SLICE": 2, "STRIDED_SLICE": 2, "TRANSPOSE": 2,
    "DEPTH_TO_SPACE": 2, "DEQUANTIZE": 2, "MIRROR_PAD": 2, "MINIMUM": 2, "MAXIMUM": 2,
}  # fmt: skip
"""The first version of each operator with int8 support (tensorflow/lite/tools/versioning/op_version.cc); 1 for
others."""
_FLOAT_VERSIONS = {"TRANSPOSE_CONV": 3}
"""The same for float: with a bias."""


def pack(graph: Subgraph, names: Mapping[str, Mapping[str, int]], orders: Mapping[str, Sequence[int]]) -> bytes:
    """The bytes of a file with one graph. `names` are those of the `inputs` and `outputs` by tensor; `orders` are the
    ONNX axes of inputs and outputs whose axis order differs."""
    s = schema()
    buffers = _Buffers(s)
    codes: dict[tuple[str, int], int] = {}
    sub = s.SubGraphT(
        tensors=[_tensor(s, each, buffers) for each in graph.tensors],
        inputs=np.array(graph.inputs, np.int32),
        outputs=np.array(graph.outputs, np.int32),
        operators=[_operator(s, each, graph, codes) for each in graph.operators],
        name="main",
    )
    model = s.ModelT(
        version=3,
        operatorCodes=[
            s.OperatorCodeT(
                builtinCode=getattr(s.BuiltinOperator, kind),
                deprecatedBuiltinCode=min(getattr(s.BuiltinOperator, kind), 127),
                version=version,
            )
            for kind, version in codes
        ],
        subgraphs=[sub],
        description="edgekit",
        signatureDefs=[
            s.SignatureDefT(
                inputs=[s.TensorMapT(name, number) for name, number in names["inputs"].items()],
                outputs=[s.TensorMapT(name, number) for name, number in names["outputs"].items()],
                signatureKey="serving_default",
            )
        ],
    )
    if orders:
        result = json.dumps({name: list(order) for name, order in orders.items()}, separators=(",", ":"))
        model.metadata = [s.MetadataT(ORDERS, buffers.number(result.encode()))]
    model.buffers = buffers.found
    builder = _Sharing(1024)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


class _Sharing(Builder):  # type: ignore[misc]
    """Writes equal vectors once, and byte vectors at multiples of ALIGNMENT."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._written: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: Array) -> int:
        key = x.dtype.str, x.tobytes()
        if key not in self._written:
            self._written[key] = super().CreateNumpyVector(x)
        return self._written[key]

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> int:
        started: int = super().StartVector(elemSize, numElems, ALIGNMENT if elemSize == 1 else alignment)
        return started


class _Buffers:
    """The distinct buffers of a file. The first one is empty, for tensors that are not constants."""

    def __init__(self, s: Any) -> None:
        self.s = s
        self.found = [s.BufferT()]
        self._numbers: dict[bytes, int] = {}

    def number(self, raw: bytes) -> int:
        if raw not in self._numbers:
            self._numbers[raw] = len(self.found)
            buffer = self.s.BufferT()
            buffer.data = np.frombuffer(raw, np.uint8)
            self.found.append(buffer)
        return self._numbers[raw]


def _tensor(s: Any, tensor: Tensor, buffers: _Buffers) -> Any:
    made = s.TensorT()
    if tensor.data is None:  # a constant needs no name of its own
        made.name = tensor.name
    made.shape = np.array(tensor.shape, np.int32)
    made.type = getattr(s.TensorType, tensor.kind.upper())
    made.buffer = 0 if tensor.data is None else buffers.number(tensor.data.tobytes())
    if tensor.quant is not None:
        made.quantization = _quantization(s, tensor.quant)
    return made


def _quantization(s: Any, quant: QuantParams) -> Any:
    made = s.QuantizationParametersT()
    made.scale = np.array(quant.scales, np.float32)
    made.zeroPoint = np.array(quant.zeros, np.int64)
    made.quantizedDimension = quant.axis
    return made


def _operator(s: Any, operator: Operator, graph: Subgraph, codes: dict[tuple[str, int], int]) -> Any:
    key = operator.kind, _version(operator, graph)
    made = s.OperatorT()
    made.opcodeIndex = codes.setdefault(key, len(codes))
    made.inputs = np.array(operator.inputs, np.int32)
    made.outputs = np.array(operator.outputs, np.int32)
    record = _OPTIONS.get(operator.kind)
    if record is not None:
        made.builtinOptionsType = getattr(s.BuiltinOptions, record)
        made.builtinOptions = getattr(s, f"{record}T")()
        for name, value in operator.options.items():
            result = getattr(getattr(s, _ENUMS[name]), value) if name in _ENUMS else value
            setattr(made.builtinOptions, name, np.array(result, np.int32) if isinstance(result, tuple) else result)
    return made


def _version(operator: Operator, graph: Subgraph) -> int:
    """The first version of the operator that supports its operands."""
    kinds = [graph.tensors[number].kind for number in operator.inputs if number != NONE]
    options = operator.options
    if operator.kind == "FULLY_CONNECTED" and options.get("keepNumDims"):
        return 5
    if operator.kind.startswith("RESIZE_") and (options.get("halfPixelCenters") or options.get("alignCorners")):
        return 3
    if operator.kind == "DEPTHWISE_CONV_2D" and kinds[0] == "float32" and options["dilationHFactor"] > 1:
        return 2
    if operator.kind == "QUANTIZE":
        return 2 if kinds[0] == "int8" else 1
    if "int8" in kinds[:2]:
        return _INTEGER_VERSIONS.get(operator.kind, 1)
    return _FLOAT_VERSIONS.get(operator.kind, 1)
