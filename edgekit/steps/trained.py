"""What steps that train a module share: epochs, learning rate, and the handling of batch norms."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from edgekit.contract.step import Contract, Step
from edgekit.traits import Data, Format, Trait, facts

if TYPE_CHECKING:
    from edgekit.training.trained import Training


@dataclass(frozen=True)
class TrainedStep(Step):
    """A step that writes a trained module."""

    epochs: Annotated[int, Meta(ge=1)] = 60
    learning_rate: Annotated[float, Meta(gt=0)] = 0.01
    weight_decay: Annotated[float, Meta(ge=0)] = 0.01
    batch_norm: Literal["re-estimated", "kept"] = "re-estimated"
    """Batch-norm statistics: re-estimated if they lag behind training, or kept."""

    contract = Contract(
        requires=facts(Format.TORCH, Trait.FLOAT),
        provides=facts(Trait.CONVERGED),
        preserves=facts(Format.TORCH, Trait.FLOAT, Trait.UNCUT),
        data=frozenset({Data.TRAIN}),
        settings=frozenset({"seed", "loss"}),
        packages=("torch",),
    )

    @property
    def training(self) -> "Training":
        from edgekit.training.loop import Schedule
        from edgekit.training.trained import Training

        return Training(Schedule(self.epochs, self.learning_rate, self.weight_decay), self.batch_norm)
