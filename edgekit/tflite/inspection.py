"""Inspect a .tflite file: operators, parameters, multiply-accumulates, quantization."""

from collections import Counter
from collections.abc import Callable, Sequence
from math import prod
from pathlib import Path

from edgekit.errors import ModelError, first_line
from edgekit.model.inspection import Inspection
from edgekit.tflite.reading import INTEGERS, TfliteFile, TfliteTensor, read_tflite

_CONVERSIONS = {"QUANTIZE", "DEQUANTIZE"}
_MOVES = {
    "CONCATENATION", "DEPTH_TO_SPACE", "EXPAND_DIMS", "GATHER", "MIRROR_PAD", "PACK", "PAD", "PADV2", "RESHAPE",
    "SHAPE", "SLICE", "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQUEEZE", "STRIDED_SLICE", "TILE", "TRANSPOSE", "UNPACK",
}  # fmt: skip
_FLOATS = {"float32", "float16", "float64", "bfloat16"}


def tflite_inspection(path: Path) -> Inspection:
    """What can be read from a .tflite file. Raises ModelError for an invalid file."""
    found = read_tflite(path)
    try:
        return _inspection(found)
    except Exception as error:
        raise ModelError(f"{path} is not a valid TFLite model: {first_line(error)}", "convert it again") from error


def _inspection(found: TfliteFile) -> Inspection:
    weights = _weights(found)
    types: Counter[str] = Counter()
    for each in weights:
        types[each.kind] += prod(each.shape)
    macs, unknown = _macs(found)
    integers, floating = _operator_counts(found)
    return Inspection(
        inputs=found.ports(found.inputs),
        outputs=found.ports(found.outputs),
        opset={"tflite": 3},
        operators=dict(Counter(each.kind for each in found.operators).most_common()),
        weight_types=dict(types),
        parameters=sum(types.values()),
        weight_bytes=sum(each.bytes for each in weights),
        activation_bytes=_activation_bytes(found),
        macs=macs,
        macs_unknown=unknown,
        integer_operators=integers,
        float_kinds=dict(floating.most_common()),
        islands={},
        traits=("integer" if found.is_integer else "float", "tflite"),
    )


def _weights(found: TfliteFile) -> list[TfliteTensor]:
    """The trained constants, each buffer once: without axes, lengths, limits, scalars, and zero biases, which replace
    missing ones."""
    used = {number for each in found.operators if each.kind not in _MOVES for number in each.inputs}
    constants = [
        each for number, each in enumerate(found.tensors) if number in used and each.stored and not each.uniform
    ]
    weighing = [each for each in constants if each.kind in INTEGERS | _FLOATS or (each.kind == "int32" and each.scales)]
    kept = [each for each in weighing if not each.uniform and prod(each.shape) > 1]
    return list({(each.buffer, each.kind): each for each in kept}.values())


def _macs(found: TfliteFile) -> tuple[int | None, str]:
    """Multiply-accumulates of a run, or the reason why they are unknown."""
    total = 0
    for each in found.operators:
        if each.kind.startswith(("custom ", "operator ")):
            return None, f"the operator {each.kind} is unknown"
        count = _MACS.get(each.kind)
        if count is not None:
            total += count(
                [found.tensors[number] for number in each.inputs if number >= 0], found.tensors[each.outputs[0]]
            )
    return total, ""


def _of_convolution(given: Sequence[TfliteTensor], made: TfliteTensor) -> int:
    return prod(made.shape) * prod(given[1].shape[1:])


def _of_depthwise(given: Sequence[TfliteTensor], made: TfliteTensor) -> int:
    return prod(made.shape) * prod(given[1].shape[1:3])


def _of_transposed(given: Sequence[TfliteTensor], _: TfliteTensor) -> int:
    return prod(given[2].shape) * prod(given[1].shape[:3])


def _of_product(given: Sequence[TfliteTensor], made: TfliteTensor) -> int:
    return prod(made.shape) * given[0].shape[-1]


_MACS: dict[str, Callable[[Sequence[TfliteTensor], TfliteTensor], int]] = {
    "CONV_2D": _of_convolution,
    "DEPTHWISE_CONV_2D": _of_depthwise,
    "TRANSPOSE_CONV": _of_transposed,
    "FULLY_CONNECTED": _of_product,
    "BATCH_MATMUL": _of_product,
}


def _operator_counts(found: TfliteFile) -> tuple[int, Counter[str]]:
    """The number of integer operators, and of float operators by type."""
    integers, floating = 0, Counter[str]()
    for each in found.operators:
        if each.kind in _CONVERSIONS or each.kind in _MOVES or not each.outputs:
            continue
        kind = found.tensors[each.outputs[0]].kind
        if kind in INTEGERS:
            integers += 1
        elif kind in _FLOATS:
            floating[each.kind] += 1
    return integers, floating


def _activation_bytes(found: TfliteFile) -> int:
    """The peak bytes of tensors that are not constants, each kept from its producer to its last reader."""
    last = {number: place for place, each in enumerate(found.operators) for number in each.inputs}
    last |= dict.fromkeys(found.outputs, len(found.operators))
    live = {number for number in found.inputs if not found.tensors[number].stored}
    most = sum(found.tensors[number].bytes for number in live)
    for place, each in enumerate(found.operators):
        live |= set(each.outputs)
        most = max(most, sum(found.tensors[number].bytes for number in live))
        live = {number for number in live if last.get(number, place) > place}
    return most
