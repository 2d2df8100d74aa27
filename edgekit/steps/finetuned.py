"""What steps that change a trained module's weights share: fine-tuning."""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from msgspec import Meta

from edgekit.steps.trained import TrainedStep
from edgekit.traits import Format, Trait, facts


@dataclass(frozen=True)
class FineTunedStep(TrainedStep):
    """A step that reads and writes a trained module."""

    epochs: Annotated[int, Meta(ge=0)] = 30
    """Epochs of fine-tuning under the step's constraint; 0 for none."""
    learning_rate: Annotated[float, Meta(gt=0)] = 0.005
    batch_norm: Literal["re-estimated", "kept"] = "re-estimated"
    """Batch-norm statistics: re-estimated if they lag behind training or there is no training, or kept."""

    contract = replace(TrainedStep.contract, requires=facts(Format.TORCH, Trait.FLOAT, Trait.CONVERGED))
