"""Inspect ONNX files: inputs, operators, parameters, multiply-accumulates, quantization."""

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from onnx import ModelProto

from edgekit.errors import EdgekitError, ModelError, first_line
from edgekit.model.activations import activation_bytes
from edgekit.model.facts import observed_facts
from edgekit.model.macs import macs_of
from edgekit.model.operator_kinds import operator_kinds
from edgekit.model.operators import operator_counts
from edgekit.model.ports import Port, inputs_of, outputs_of
from edgekit.model.reading import load_model
from edgekit.model.shapes import for_one_sample
from edgekit.model.sizes import Sizes
from edgekit.model.weights import weights


@dataclass(frozen=True)
class Inspection:
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    opset: dict[str, int]
    operators: dict[str, int]
    weight_types: dict[str, int]
    """The number of weight elements by stored type."""
    parameters: int
    weight_bytes: int
    activation_bytes: int | None
    """The peak activation bytes of one sample; None if unknown."""
    macs: int | None
    """Multiply-accumulates of one sample; None if unknown."""
    macs_unknown: str
    """The reason."""
    integer_operators: int
    float_kinds: dict[str, int]
    """Float operators by type, the most frequent first: in a quantized model those that stayed float, in a float model
    all."""
    islands: dict[str, int]
    """The number of float islands, by the operators of each."""
    traits: tuple[str, ...]

    @property
    def float_operators(self) -> int:
        """The number of float operators."""
        return sum(self.float_kinds.values())

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "float_operators": self.float_operators}


def inspect_model(path: Path, sizes: Sizes | None = None) -> Inspection:
    """What can be read from a model file, with dynamic axes of the lengths in `sizes`. Raises ModelError for an invalid
    model, and for sizes that its inputs do not allow."""
    model = load_model(path)
    try:
        return _inspection(model, sizes or {})
    except EdgekitError:
        raise
    except Exception as error:  # a damaged graph may violate any assumption: nodes without inputs
        raise ModelError(f"{path} is not a valid ONNX model: {first_line(error)}", "export it again") from error


def _inspection(model: ModelProto, sizes: Sizes) -> Inspection:
    graph = model.graph
    types: Counter[str] = Counter()
    held = weights(model)
    for weight in held:
        types[weight.kind] += weight.size
    operators = operator_counts(model)
    shaped = for_one_sample(model, sizes)
    kinds = operator_kinds(model, shaped)
    macs = macs_of(shaped)
    return Inspection(
        inputs=inputs_of(graph),
        outputs=outputs_of(graph),
        opset={each.domain or "ai.onnx": each.version for each in model.opset_import},
        operators=dict(sorted(operators.items(), key=lambda each: (-each[1], each[0]))),
        weight_types=dict(types),
        parameters=sum(types.values()),
        weight_bytes=sum(weight.bytes for weight in held),
        activation_bytes=activation_bytes(shaped),
        macs=macs.count,
        macs_unknown=macs.unknown,
        integer_operators=kinds.integer,
        float_kinds=kinds.floating,
        islands=kinds.islands,
        traits=tuple(sorted(observed_facts(model))),
    )


def operator_notes(found: Inspection) -> dict[str, Any]:
    """A step's notes on the integer and float operators of an inspected graph."""
    return {
        "integer_operators": found.integer_operators,
        "float_operators": found.float_kinds,
        "islands": found.islands,
    }


def file_notes(path: Path, found: Inspection | None = None) -> dict[str, Any]:
    """A step's notes on the ONNX file that it wrote; `found` is its inspection if there is one."""
    found = found or inspect_model(path)
    return {
        "bytes": path.stat().st_size,
        "nodes": sum(found.operators.values()),
        "operators": found.operators,
        "parameters": found.parameters,
        "macs": found.macs,
    }
