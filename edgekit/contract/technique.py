"""What a step applies, in the terms that the interaction table speaks of."""

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Literal


class Family(StrEnum):
    TRAINING = "training"
    DISTILLATION = "distillation"
    PRUNING = "pruning"
    QUANTIZATION = "quantization"
    GRAPH = "graph"
    """Export, simplification, fusion: nothing is lost but rounding of the last bit."""


Granularity = Literal["tensor", "channel", "group"]
Units = Literal["all", "channels", "heads"]
"""What pruning may take: whole channels, whole attention heads, or all that the model is made of."""
Structure = Literal["unstructured", "units", "channels", "heads"]


@dataclass(frozen=True, kw_only=True)
class Technique:
    """The properties that an interaction's condition may name; None where one has no meaning or is not known."""

    family: Family
    discards: bool = False
    """Other weights take the place of what was learnt before."""
    lossy: bool = False
    """Whether information is given up: it counts towards the two or three techniques of a recipe."""
    bits: int | None = None
    granularity: Granularity | None = None
    """Of the weights' scales."""
    activations: Literal["int8", "uint8"] | None = None
    weights: Literal["int8", "uint8"] | None = None
    symmetric_activations: bool | None = None
    reduced_range: bool | None = None
    static: bool | None = None
    """Activation ranges are fixed by calibration."""
    simulated: bool | None = None
    """Rounded numbers stay stored as floats."""
    prepares: bool | None = None
    """Trains for a rounding that a later step does."""
    sparsity: float | None = None
    """The share that is taken, 0 to 1."""
    structure: Structure | None = None
    gradual: bool | None = None
    fine_tuned: bool | None = None
    """Training follows within the step, under what the step imposed."""
    batch_norm: Literal["re-estimated", "kept"] | None = None
    """What becomes of the batch norms' statistics where no training follows."""
    aggressive: bool | None = None
    """At most 4 bits, or half of the weights or more, in one go and without training."""
    fused: bool | None = None
    """The runtime's own operators stand in the place of the standard ones."""
    unknown: frozenset[str] = frozenset()
    """The properties that a target decides which is not known."""
    ties_cpu: bool | None = None
    """The result runs well, or at all, only on the kind of CPU that it was made on."""


PROPERTIES = frozenset(each.name for each in fields(Technique))


def properties(technique: Technique) -> dict[str, Any]:
    """The properties by name."""
    return dict(vars(technique))
