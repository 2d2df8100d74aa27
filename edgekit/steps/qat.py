"""qat: continue training with the target's integer rounding in every forward pass, so that the step quantize loses
little."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from msgspec import Meta

from edgekit.contract.artifact import Artifact
from edgekit.contract.step import Context, Contract, Outcome, Step
from edgekit.contract.technique import Family, Technique
from edgekit.target import Target
from edgekit.traits import Data, Format, Role, Trait, facts

_STORED, _STORED_REDUCED = 127, 64
"""The largest integer of a weight in the step quantize, with 8 bits and with the target's range reduced to 7."""


@dataclass(frozen=True)
class Qat(Step):
    """Quantization-aware training (Jacob et al., arXiv 1712.05877, section 3): batch norms are folded and frozen,
    weights are rounded to the target's integers, and operator inputs are rounded within their ranges. Observers
    determine the ranges in the first half of the epochs, after which they are frozen.

    The result, the float student with which files are compared, is a float module whose weights are on the integer
    levels and whose activations are not rounded. The step quantize stores the same weights as integers and determines
    the ranges again; `range_drift` is the largest relative difference of a range's width. The reference is the teacher,
    or without one the student before this step.
    """

    bits: Literal[8, 4] = 8
    """Bits of the weights. 4-bit weights use 15 of the 8-bit levels and are stored in 8 bits, so the file is not
    smaller."""
    epochs: Annotated[int, Meta(ge=1)] = 20
    learning_rate: Annotated[float, Meta(gt=0)] = 0.001
    weight_decay: Annotated[float, Meta(ge=0)] = 0.0

    contract = Contract(
        requires=facts(Format.TORCH, Trait.FLOAT, Trait.CONVERGED),
        provides=facts(Trait.CONVERGED),
        preserves=facts(Format.TORCH, Trait.FLOAT, Trait.UNCUT),
        data=frozenset({Data.TRAIN, Data.CALIBRATION}),
        settings=frozenset({"seed", "loss"}),
        target=frozenset({"quantization"}),
        packages=("torch",),
    )
    sections = ("training",)

    def technique(self, target: Target | None) -> Technique:
        return Technique(
            family=Family.QUANTIZATION,
            bits=self.bits,
            granularity=("channel" if target.quantization.per_channel else "tensor") if target else None,
            simulated=True,
            prepares=True,
            epochs=self.epochs,
            fine_tuned=True,
            aggressive=False,
            unknown=frozenset() if target else frozenset({"granularity"}),
        )

    def run(self, model: Artifact, joined: Mapping[Role, Artifact], context: Context) -> Outcome:
        from edgekit.training.batches import tensor_example
        from edgekit.training.batchnorms import fold
        from edgekit.training.fakequant import Rounding
        from edgekit.training.loop import Schedule
        from edgekit.training.modules import constraint_of, saved_module
        from edgekit.training.trained import Training, train_module
        from edgekit.training.weight_constraints import WeightGrid

        project, scheme = context.project, context.target.quantization
        module = saved_module(project, model)
        calibration = context.splits[Data.CALIBRATION]
        fold(module, tensor_example(calibration))
        stored = _STORED_REDUCED if scheme.reduce_range else _STORED
        grid = WeightGrid(self.bits, "channel" if scheme.per_channel else "tensor", stored=stored)
        held = replace(constraint_of(model), grid=grid)
        samples = project.data.calibration_samples
        rounding = Rounding(module, held, calibration, samples, symmetric=scheme.symmetric_activation)
        training = Training(Schedule(self.epochs, self.learning_rate, self.weight_decay), "kept")
        what = f"training the {context.role} with simulated INT8 rounding"
        outcome = train_module(module, held, training, context, what, constraint=rounding)
        return Outcome(outcome.path, {**outcome.notes, "weight_bits": self.bits, "range_drift": rounding.drift(module)})
