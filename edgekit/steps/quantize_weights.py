"""quantize-weights: round a module's weights to few levels, stored as floats: what INT4 or INT8 weights would do."""

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
    """Rounding of the weights, simulated: activations stay float, and so does the file."""

    bits: Annotated[int, Meta(ge=2, le=8)] = 4
    granularity: Granularity = "channel"
    """How many weights share a scale: a tensor's, an output channel's, a group's within a channel."""
    group_size: Annotated[int, Meta(ge=2)] = 32
    symmetric: bool = True
    """Levels on both sides of zero alike; otherwise between the smallest and the largest weight, zero among them."""
    epochs: Annotated[int, Meta(ge=0)] = 0
    """Of fine-tuning on the levels (the gradient passes straight through the rounding); 0 is post-training."""
    learning_rate: Annotated[float, Meta(gt=0)] = 0.002

    def technique(self, target: Target | None) -> Technique:
        return Technique(
            family=Family.QUANTIZATION,
            lossy=True,
            bits=self.bits,
            granularity=self.granularity,
            simulated=True,
            prepares=False,
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
