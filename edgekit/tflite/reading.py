"""Read .tflite files from any writer. For files from edgekit, axes are given in the ONNX model's order."""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.arrays import Array
from edgekit.errors import EdgekitError, ModelError, first_line
from edgekit.model.ports import ANONYMOUS, Port
from edgekit.model.weights import kind_bits
from edgekit.paths import is_there, read_regular
from edgekit.tflite.packing import IDENTIFIER, ORDERS
from edgekit.tflite.schema import schema

_MOST_TENSORS = 100_000
_MOST_BYTES = 2**31
"""Of an input or output."""
_SOLE = 1
"""The number of graphs; control flow needs more."""
INTEGERS = {"int8", "uint8", "int16", "int4"}


@dataclass(frozen=True)
class TfliteTensor:
    """A tensor of a file."""

    name: str
    kind: str
    """numpy's name in lower case: float32, int8."""
    shape: tuple[int, ...]
    free: tuple[bool, ...]
    """Whether each axis may change its length before a run."""
    scale: float | None
    """If it has one for all channels, as for the zero point."""
    zero: int | None
    scales: int
    stored: int
    """Bytes of a constant; 0 for other tensors."""
    uniform: bool
    """Whether all bytes of a constant are equal: ones for sums, zeros for a missing bias."""
    buffer: int

    @property
    def bytes(self) -> int:
        return -(-prod(self.shape) * kind_bits(self.kind) // 8)


@dataclass(frozen=True)
class Ran:
    """An operator of a file."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class TfliteFile:
    tensors: tuple[TfliteTensor, ...]
    operators: tuple[Ran, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    names: dict[int, str]
    """Names of inputs and outputs from the signature."""
    orders: dict[str, tuple[int, ...]]
    """By input or output: the ONNX axis of each of its axes."""

    def ports(self, numbers: Sequence[int]) -> tuple[Port, ...]:
        return tuple(self._port(number) for number in numbers)

    def order(self, number: int) -> tuple[int, ...] | None:
        """The axis order of an input or output; None if it is the ONNX model's."""
        return self.orders.get(self.name(number))

    def name(self, number: int) -> str:
        return self.names.get(number, self.tensors[number].name)

    def own_port(self, number: int) -> Port:
        """An input or output with its axes in the file's order."""
        held = self.tensors[number]
        sizes = (
            ANONYMOUS if free and axis else size
            for axis, (size, free) in enumerate(zip(held.shape, held.free, strict=True))
        )
        return Port(self.name(number), held.kind, tuple(sizes))

    def _port(self, number: int) -> Port:
        port, order = self.own_port(number), self.order(number)
        if order is None:
            return port
        return replace(port, shape=tuple(port.shape[order.index(axis)] for axis in range(len(order))))

    def output_steps(self) -> dict[str, float]:
        """The scale, which is one LSB, of each output with one scale, directly or before a DEQUANTIZE."""
        scales = self.scales()
        return {name: scales[name]["scale"] for name in map(self.name, self.outputs) if name in scales}

    @cached_property
    def is_integer(self) -> bool:
        return any(each.stored and each.kind in INTEGERS for each in self.tensors)

    def scales(self) -> dict[str, dict[str, Any]]:
        """Scale, zero point and integer type of each input and output with one scale."""
        before = {each.inputs[0]: each.outputs[0] for each in self.operators if each.kind == "QUANTIZE"}
        behind = {each.outputs[0]: each.inputs[0] for each in self.operators if each.kind == "DEQUANTIZE"}
        found = {}
        for number in (*self.inputs, *self.outputs):
            held = self.tensors[before.get(number, behind.get(number, number))]
            if held.scale is not None:
                found[self.name(number)] = {
                    "scale": held.scale,
                    "zero_point": held.zero or 0,
                    "integer_type": held.kind,
                }
        return found


def read_tflite(path: Path) -> TfliteFile:
    """The graph of a .tflite file. Raises ModelError for an invalid file, and for control flow."""
    if not is_there(path):
        raise ModelError(f"there is no file {path}", "check the path")
    if path.is_dir():
        raise ModelError(f"{path} is a folder, not a model", "give the .tflite file itself")
    try:
        data = read_regular(path, _MOST_BYTES)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}", "give a .tflite file") from error
    if data[4:8] != IDENTIFIER:
        raise ModelError(
            f"{path} is not a readable TFLite model: it is truncated, damaged or in another format", "convert it again"
        )
    try:
        return _read(path, data)
    except EdgekitError:
        raise
    except struct.error as error:
        raise ModelError(
            f"{path} is not a valid TFLite model: its offsets point outside the file", "convert it again"
        ) from error
    except Exception as error:  # a damaged file may cause any exception
        raise ModelError(f"{path} is not a valid TFLite model: {first_line(error)}", "convert it again") from error


def _read(path: Path, data: bytes) -> TfliteFile:
    s = schema()
    model = s.Model.GetRootAs(data, 0)
    if model.SubgraphsLength() != _SOLE:
        raise ModelError(
            f"{path} has {model.SubgraphsLength()} subgraphs, but edgekit reads models with exactly one",
            "convert the model without control flow operators",
        )
    graph = model.Subgraphs(0)
    counts = [graph.TensorsLength(), graph.OperatorsLength(), graph.InputsLength(), graph.OutputsLength()]
    if max(*counts, model.BuffersLength(), model.OperatorCodesLength()) > min(_MOST_TENSORS, len(data)):
        raise ModelError(f"{path} is not a valid TFLite model: it holds more tensors than bytes", "convert it again")
    operator_names, type_names = _names_in(s.BuiltinOperator), _names_in(s.TensorType)
    codes = [_kind(model.OperatorCodes(number), operator_names) for number in range(model.OperatorCodesLength())]
    stored = [_content(model.Buffers(number)) for number in range(model.BuffersLength())]
    tensors = tuple(_read_tensor(graph.Tensors(number), type_names, stored) for number in range(counts[0]))
    operators = []
    for number in range(counts[1]):
        each = graph.Operators(number)
        inputs = tuple(each.Inputs(place) for place in range(_length(each.InputsLength(), data)))
        outputs = tuple(each.Outputs(place) for place in range(_length(each.OutputsLength(), data)))
        operators.append(Ran(codes[each.OpcodeIndex()], inputs, outputs))
    inputs = tuple(graph.Inputs(place) for place in range(counts[2]))
    outputs = tuple(graph.Outputs(place) for place in range(counts[3]))
    numbers = (*inputs, *outputs, *(number for each in operators for number in (*each.inputs, *each.outputs)))
    if any(not -1 <= number < len(tensors) for number in numbers) or -1 in (*inputs, *outputs):
        raise ModelError(
            f"{path} is not a valid TFLite model: it refers to tensors that do not exist", "convert it again"
        )
    if any(tensors[number].bytes > _MOST_BYTES for number in (*inputs, *outputs)):
        raise ModelError(
            f"{path} is not a valid TFLite model: its sizes exceed any device's memory", "convert it again"
        )
    return TfliteFile(tensors, tuple(operators), inputs, outputs, _names(model), _orders(model))


def _content(buffer: Any) -> tuple[int, bool]:
    """The number of bytes of a buffer, and whether all are equal."""
    if not buffer.DataLength():
        return 0, False
    data = buffer.DataAsNumpy()
    return len(data), bool((data == data[0]).all())


def _length(count: int, data: bytes) -> int:
    if count > len(data):
        raise ValueError("a vector is longer than the file")
    return count


def _names_in(enumeration: Any) -> dict[int, str]:
    """The names of an enumeration's values."""
    return {value: name for name, value in vars(enumeration).items() if isinstance(value, int)}


def _kind(code: Any, names: Mapping[int, str]) -> str:
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    kind = names.get(number, f"operator {number}")
    if kind != "CUSTOM":
        return kind
    name = code.CustomCode()
    return f"custom {str(name, errors='replace') if name else 'operator'}"


def _read_tensor(tensor: Any, kinds: Mapping[int, str], stored: Sequence[tuple[int, bool]]) -> TfliteTensor:
    shape = tuple(int(tensor.Shape(axis)) for axis in range(min(tensor.ShapeLength(), 16)))
    signature = [int(tensor.ShapeSignature(axis)) for axis in range(min(tensor.ShapeSignatureLength(), 16))]
    free = tuple(size < 0 for size in signature) if len(signature) == len(shape) else (False,) * len(shape)
    quant = tensor.Quantization()
    count = 0 if quant is None else quant.ScaleLength()
    single = count == 1
    size, uniform = stored[int(tensor.Buffer())]
    return TfliteTensor(
        (tensor.Name() or b"").decode(errors="replace"),
        kinds.get(tensor.Type(), "unknown").lower(),
        tuple(max(size, 0) for size in shape),
        free,
        float(quant.Scale(0)) if single else None,
        int(quant.ZeroPoint(0)) if single and quant.ZeroPointLength() else None,
        count,
        size,
        uniform,
        tensor.Buffer(),
    )


def _names(model: Any) -> dict[int, str]:
    if model.SignatureDefsLength() != 1:
        return {}
    signature = model.SignatureDefs(0)
    maps = [signature.Inputs(place) for place in range(signature.InputsLength())]
    maps += [signature.Outputs(place) for place in range(signature.OutputsLength())]
    return {each.TensorIndex(): (each.Name() or b"").decode(errors="replace") for each in maps}


def _orders(model: Any) -> dict[str, tuple[int, ...]]:
    for number in range(model.MetadataLength()):
        each = model.Metadata(number)
        if each.Name() == ORDERS.encode():
            data = json.loads(bytes(model.Buffers(each.Buffer()).DataAsNumpy()))
            found = {str(name): tuple(int(axis) for axis in order) for name, order in data.items()}
            if any(sorted(order) != list(range(len(order))) for order in found.values()):
                raise ValueError("its axis order is not a permutation")
            return found
    return {}


def to_file_inputs(found: TfliteFile, arrays: Sequence[Array], *, feeds: bool = False) -> list[Array]:
    """Convert inputs from the ONNX model's axis order to the file's, and floats to integers where it expects them; with
    `feeds`, arrays have a leading axis of feeds."""
    return [
        as_integers(_reorder(each, found.order(number), feeds), found.tensors[number])
        for each, number in zip(arrays, found.inputs, strict=True)
    ]


def to_onnx_outputs(found: TfliteFile, arrays: Sequence[Array], *, feeds: bool = False) -> list[Array]:
    """Convert the file's outputs to those of the ONNX model: integers with a scale become floats, axes in ONNX's
    order."""
    orders = [found.order(number) for number in found.outputs]
    back = [None if order is None else tuple(int(axis) for axis in np.argsort(order)) for order in orders]
    return [
        _as_floats(_reorder(each, order, feeds), found.tensors[number])
        for each, order, number in zip(arrays, back, found.outputs, strict=True)
    ]


def to_file_outputs(found: TfliteFile, arrays: Sequence[Array]) -> list[Array]:
    """Convert the ONNX model's outputs to those of the file: the inverse of `to_onnx_outputs`."""
    return [
        as_integers(_reorder(each, found.order(number), feeds=False), found.tensors[number])
        for each, number in zip(arrays, found.outputs, strict=True)
    ]


def _reorder(array: Array, order: tuple[int, ...] | None, feeds: bool) -> Array:
    if order is None or array.ndim != len(order) + feeds:
        return array
    axes = (0, *(axis + 1 for axis in order)) if feeds else order
    return np.ascontiguousarray(array.transpose(axes))


def as_integers(array: Array, held: TfliteTensor) -> Array:
    """Quantize floats of any shape for a tensor with one scale; other arrays are unchanged."""
    if held.scale is None or array.dtype.kind != "f" or held.kind not in INTEGERS:
        return array
    limits = np.iinfo(held.kind)
    steps = np.rint(array / np.float32(held.scale)) + (held.zero or 0)
    return np.asarray(steps.clip(limits.min, limits.max), held.kind)


def _as_floats(array: Array, held: TfliteTensor) -> Array:
    if held.scale is None or str(array.dtype) not in INTEGERS:
        return array
    return np.asarray((array.astype(np.float32) - (held.zero or 0)) * np.float32(held.scale), np.float32)
