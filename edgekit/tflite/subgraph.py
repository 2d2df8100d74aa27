"""A TFLite graph under construction: tensors, and operators in running order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from edgekit.arrays import Array

Kind = Literal["float32", "int8", "int32"]
Shape = tuple[int, ...]
NONE = -1
"""The number of an omitted optional input."""


@dataclass(frozen=True)
class QuantParams:
    """Quantization parameters: real = scale * (integer - zero)."""

    scales: tuple[float, ...]
    """One scale, or one per channel."""
    zeros: tuple[int, ...]
    axis: int = 0
    """The channel axis."""

    @property
    def scale(self) -> float:
        (scale,) = self.scales
        return scale

    @property
    def zero(self) -> int:
        (zero,) = self.zeros
        return zero

    def reaches(self) -> tuple[float, float]:
        """The smallest and largest 8-bit value."""
        return (-128 - self.zero) * self.scale, (127 - self.zero) * self.scale


@dataclass(frozen=True)
class Tensor:
    name: str
    kind: Kind
    shape: Shape
    quant: QuantParams | None = None
    data: Array | None = None
    """The values of a constant."""


@dataclass(frozen=True)
class Operator:
    kind: str
    """The format's name of the operator: CONV_2D."""
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Subgraph:
    tensors: list[Tensor] = field(default_factory=list)
    operators: list[Operator] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    _constants: dict[Any, int] = field(default_factory=dict)

    def tensor(self, name: str, kind: Kind, shape: Sequence[int], quant: QuantParams | None = None) -> int:
        """Add a tensor; returns its number."""
        self.tensors.append(Tensor(name, kind, tuple(shape), quant))
        return len(self.tensors) - 1

    def constant(self, name: str, data: Array, quant: QuantParams | None = None) -> int:
        """Add a float32, int8 or int32 constant of the array's shape unless an equal one exists; returns its number."""
        data = np.ascontiguousarray(data)
        key = (data.dtype.str, data.shape, data.tobytes(), quant)
        if key not in self._constants:
            kinds: dict[str, Kind] = {"float32": "float32", "int8": "int8", "int32": "int32"}
            self.tensors.append(Tensor(name, kinds[str(data.dtype)], data.shape, quant, data))
            self._constants[key] = len(self.tensors) - 1
        return self._constants[key]

    def numbers(self, name: str, values: Any) -> int:
        """Add a constant of axes, lengths or positions; returns its number."""
        return self.constant(name, np.array(values, np.int32))

    def operator(self, kind: str, inputs: Sequence[int], output: int, **options: Any) -> int:
        """Add an operator; returns its output."""
        self.operators.append(Operator(kind, tuple(inputs), (output,), options))
        return output

    def without_unused(self) -> tuple["Subgraph", dict[int, int]]:
        """The graph without what no output depends on, and the new numbers of the remaining tensors."""
        needed, kept = set(self.outputs), []
        for each in reversed(self.operators):
            if needed & set(each.outputs):
                kept.append(each)
                needed.update(each.inputs)
        whole = [each.outputs for each in kept] + [tuple(self.inputs)]
        used = sorted((needed | {number for outputs in whole for number in outputs}) - {NONE})
        places = {number: place for place, number in enumerate(used)} | {NONE: NONE}

        def renumber(numbers: Sequence[int]) -> list[int]:
            return [places[number] for number in numbers]

        operators = [
            replace(each, inputs=tuple(renumber(each.inputs)), outputs=tuple(renumber(each.outputs)))
            for each in reversed(kept)
        ]
        left = Subgraph(
            [self.tensors[number] for number in used], operators, renumber(self.inputs), renumber(self.outputs)
        )
        return left, places
