"""What a step applies, in the properties that the interaction table refers to."""

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Literal


class Family(StrEnum):
    TRAINING = "training"
    DISTILLATION = "distillation"
    PRUNING = "pruning"
    QUANTIZATION = "quantization"
    GRAPH = "graph"
    """Export, simplification, fusion: only floating-point rounding changes."""


Granularity = Literal["tensor", "channel", "group"]
Units = Literal["all", "channels", "heads"]
"""What pruning may remove: whole channels, whole attention heads, or both."""
Structure = Literal["unstructured", "units", "channels", "heads"]


@dataclass(frozen=True, kw_only=True)
class Technique:
    """The properties that an interaction's condition may refer to. None where one does not apply or is unknown."""

    family: Family
    discards: bool = False
    """Previously learnt weights are replaced."""
    lossy: bool = False
    """Whether information is lost. Lossy techniques count towards the two or three of a recipe."""
    bits: int | None = None
    granularity: Granularity | None = None
    """Of the scales of the weights."""
    activations: Literal["int8", "uint8"] | None = None
    weights: Literal["int8", "uint8"] | None = None
    symmetric_activations: bool | None = None
    reduced_range: bool | None = None
    clipping: Literal["percentile", "entropy"] | None = None
    """How calibration clips activation ranges."""
    static: bool | None = None
    """Whether activation ranges are fixed by calibration."""
    simulated: bool | None = None
    """Whether rounded values are stored as floats."""
    prepares: bool | None = None
    """Whether it trains for the rounding of a later step."""
    sparsity: float | None = None
    """The share of weights or units that is removed, 0 to 1."""
    structure: Structure | None = None
    gradual: bool | None = None
    epochs: int | None = None
    """Epochs of training in the step itself; None if it never trains."""
    fine_tuned: bool | None = None
    """Whether the step itself fine-tunes under its constraint. In a recipe, later training counts as well."""
    batch_norm: Literal["re-estimated", "kept"] | None = None
    """What happens to batch-norm statistics where no training follows."""
    aggressive: bool | None = None
    """At most 4 bits, or at least half of the weights, in one step without training, in the step or after it."""
    fused: bool | None = None
    """Whether the runtime's own operators replace standard ones."""
    unknown: frozenset[str] = frozenset()
    """The properties that the target decides, where it is unknown."""
    ties_cpu: bool | None = None
    """Whether the result runs well, or at all, only on the type of CPU that it was made on."""

    @property
    def removed_units(self) -> Units | None:
        """The units that it removes from a module; None if it removes none, or single weights."""
        if self.structure is None or self.structure == "unstructured":
            return None
        return "all" if self.structure == "units" else self.structure


PROPERTIES = frozenset(each.name for each in fields(Technique))


def properties(technique: Technique) -> dict[str, Any]:
    """The properties by name."""
    return dict(vars(technique))
