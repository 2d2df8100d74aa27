"""ONNX files counted: inputs, operators, parameters, multiply-accumulates, what is quantized."""

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
    """Elements of weights by stored type."""
    parameters: int
    weight_bytes: int
    activation_bytes: int | None
    """The most that a run's tensors take at once, for one sample; None where that is not known."""
    macs: int | None
    """Multiply-accumulates for one sample; None where they are not known."""
    macs_unknown: str
    """Why not."""
    integer_operators: int
    float_kinds: dict[str, int]
    """Operators that compute on floats although the model holds integers, all of them in a float model: by type, the
    commonest first."""
    islands: dict[str, int]
    """Of those, and of moves, what lies between conversions from integers and back: how many, by their operators."""
    traits: tuple[str, ...]

    @property
    def float_operators(self) -> int:
        """How many compute on floats."""
        return sum(self.float_kinds.values())

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "float_operators": self.float_operators}


def inspect_model(path: Path, sizes: Sizes | None = None) -> Inspection:
    """What can be read in a model file, dynamic axes as long as `sizes` tells. Raises ModelError for a file that is no
    sound model, and for sizes that its inputs cannot have."""
    model = load_model(path)
    try:
        return _inspection(model, sizes or {})
    except EdgekitError:
        raise
    except Exception as error:  # a damaged graph may break any assumption: names that are no text, nodes without inputs
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
    """What a step notes about what the runtime's graph, inspected, computes on."""
    return {
        "integer_operators": found.integer_operators,
        "float_operators": found.float_kinds,
        "islands": found.islands,
    }


def file_notes(path: Path, found: Inspection | None = None) -> dict[str, Any]:
    """What a step notes about the ONNX file that it leaves, `found` being its inspection where there was one."""
    found = found or inspect_model(path)
    return {
        "bytes": path.stat().st_size,
        "nodes": sum(found.operators.values()),
        "operators": found.operators,
        "parameters": found.parameters,
        "macs": found.macs,
    }
