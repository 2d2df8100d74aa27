"""What the steps share that change a trained module's weights: how it is trained on afterwards."""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from msgspec import Meta

from edgekit.steps.trained import TrainedStep
from edgekit.traits import Format, Trait, facts


@dataclass(frozen=True)
class FineTunedStep(TrainedStep):
    """A step on a trained module that leaves a trained module."""

    epochs: Annotated[int, Meta(ge=0)] = 30
    """Of fine-tuning under what the step imposed; 0 is none."""
    learning_rate: Annotated[float, Meta(gt=0)] = 0.005
    batch_norm: Literal["re-estimated", "kept"] = "re-estimated"
    """The statistics of the batch norms: taken anew where they lag behind training, or where there is none; or kept."""

    contract = replace(TrainedStep.contract, requires=facts(Format.TORCH, Trait.FLOAT, Trait.CONVERGED))
