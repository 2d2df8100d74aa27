"""qat: train on with INT8 rounding in every forward pass, so that the step quantize costs little."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from edgekit.artifact import Artifact
from edgekit.steps.step import Context, Contract, Outcome, Step
from edgekit.steps.technique import Family, Technique
from edgekit.target import Target
from edgekit.traits import Data, Format, Role, Trait, facts


@dataclass(frozen=True)
class Qat(Step):
    """Quantization-aware training (Jacob et al., arXiv 1712.05877, section 3): batch norms folded and frozen, weights
    rounded for each output channel, the inputs of every layer rounded in the range that calibration saw. What it leaves
    is a float module whose weights lie on the integer grid; the step quantize makes integers of them."""

    epochs: Annotated[int, Meta(ge=1)] = 20
    learning_rate: Annotated[float, Meta(gt=0)] = 0.001
    weight_decay: Annotated[float, Meta(ge=0)] = 0.0

    contract = Contract(
        requires=facts(Format.TORCH, Trait.FLOAT, Trait.CONVERGED),
        provides=facts(Trait.CONVERGED),
        preserves=facts(Format.TORCH, Trait.FLOAT, Trait.UNCUT),
        data=frozenset({Data.TRAIN, Data.CALIBRATION}),
        settings=frozenset({"seed", "loss"}),
        packages=("torch",),
    )

    def technique(self, target: Target | None) -> Technique:
        return Technique(
            family=Family.QUANTIZATION,
            bits=8,
            granularity="channel",
            simulated=True,
            prepares=True,
            fine_tuned=True,
            aggressive=False,
        )

    def run(self, model: Artifact, joined: Mapping[Role, Artifact], context: Context) -> Outcome:
        from dataclasses import replace

        from edgekit.training.batches import tensor_example
        from edgekit.training.batchnorms import fold
        from edgekit.training.fakequant import rounding_inputs
        from edgekit.training.held import Grid
        from edgekit.training.loop import Schedule
        from edgekit.training.modules import held_by, saved_module
        from edgekit.training.trained import Training, trained

        project = context.project
        module = saved_module(project, model)
        calibration = context.splits[Data.CALIBRATION]
        fold(module, tensor_example(calibration))
        held = replace(held_by(model), grid=Grid(8, "channel"))
        training = Training(Schedule(self.epochs, self.learning_rate, self.weight_decay), "kept")
        with rounding_inputs(module, calibration, project.data.calibration_samples):
            return trained(module, held, training, context, f"training the {context.role} under INT8 rounding")
