"""quantize-weights: round a module's weights to few levels, stored as floats, to simulate INT4 or INT8 weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from edgekit.contract.artifact import Artifact
from edgekit.contract.step import Context, Outcome
from edgekit.contract.technique import Family, Granularity, Technique
from edgekit.steps.finetuned import FineTunedStep
from edgekit.target import Target
from edgekit.traits import Role


@dataclass(frozen=True)
class QuantizeWeights(FineTunedStep):
    """Simulated quantization of weights. Activations stay float, and so does the file."""

    bits: Annotated[int, Meta(ge=2, le=8)] = 4
    granularity: Granularity = "channel"
    """The weights that share a scale: those of a tensor, of an output channel, or of a group within a channel."""
    group_size: Annotated[int, Meta(ge=2)] = 32
    symmetric: bool = True
    """Symmetric levels around zero; otherwise between the smallest and largest weight, including zero."""
    epochs: Annotated[int, Meta(ge=0)] = 0
    """Epochs of fine-tuning on the levels with a straight-through gradient; 0 for post-training quantization."""
    learning_rate: Annotated[float, Meta(gt=0)] = 0.002

    def technique(self, target: Target | None) -> Technique:
        return Technique(
            family=Family.QUANTIZATION,
            lossy=True,
            bits=self.bits,
            granularity=self.granularity,
            simulated=True,
            prepares=False,
            epochs=self.epochs,
            fine_tuned=self.epochs > 0,
            batch_norm=self.batch_norm,
            aggressive=self.bits <= 4 and not self.epochs,
        )

    def run(self, model: Artifact, joined: Mapping[Role, Artifact], context: Context) -> Outcome:
        from dataclasses import replace

        from edgekit.training.modules import constraint_of, saved_module
        from edgekit.training.trained import train_module
        from edgekit.training.weight_constraints import WeightGrid

        module = saved_module(context.project, model)
        held = replace(
            constraint_of(model), grid=WeightGrid(self.bits, self.granularity, self.group_size, self.symmetric)
        )
        return train_module(module, held, self.training, context, f"fine-tuning the {context.role} at {self.bits} bits")
