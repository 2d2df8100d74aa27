"""What the steps share that change a trained module's weights: how it is trained on afterwards."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from edgekit.steps.step import Contract, Step
from edgekit.traits import Data, Format, Trait, facts

if TYPE_CHECKING:
    from edgekit.training.finetune import FineTuning


@dataclass(frozen=True)
class FineTunedStep(Step):
    """A step on a trained module that leaves a trained module."""

    epochs: Annotated[int, Meta(ge=0)] = 30
    """Of fine-tuning under what the step imposed; 0 is none."""
    learning_rate: Annotated[float, Meta(gt=0)] = 0.005
    weight_decay: Annotated[float, Meta(ge=0)] = 0.01
    batch_norm: Literal["re-estimated", "kept"] = "re-estimated"
    """The statistics of the batch norms where there is no fine-tuning."""

    contract = Contract(
        requires=facts(Format.TORCH, Trait.FLOAT, Trait.CONVERGED),
        provides=facts(Trait.CONVERGED),
        preserves=facts(Format.TORCH, Trait.FLOAT, Trait.UNCUT),
        data=frozenset({Data.TRAIN}),
        settings=frozenset({"seed", "loss"}),
        packages=("torch",),
    )

    @property
    def tuning(self) -> "FineTuning":
        from edgekit.training.finetune import FineTuning
        from edgekit.training.loop import Schedule

        return FineTuning(Schedule(self.epochs, self.learning_rate, self.weight_decay), self.batch_norm)
