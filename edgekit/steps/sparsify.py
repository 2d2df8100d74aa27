"""sparsify: set the smallest weights to zero, then fine-tune the others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from edgekit.contract.artifact import Artifact
from edgekit.contract.step import Context, Outcome
from edgekit.contract.technique import Family, Technique
from edgekit.steps.finetuned import FineTunedStep
from edgekit.target import Target
from edgekit.traits import Role


@dataclass(frozen=True)
class Sparsify(FineTunedStep):
    """Unstructured magnitude pruning (Han et al., arXiv 1506.02626). Shapes and the file's size do not change."""

    sparsity: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    """The share of weights that become zero."""
    scope: Literal["layer", "model"] = "layer"
    """Whether the share applies to each layer or to the model as a whole."""
    gradual: bool = False
    """Increase the share epoch by epoch as 1 - (1 - t)^3 (Zhu and Gupta, arXiv 1710.01878, section 3) over the first
    two thirds of the epochs."""

    def technique(self, target: Target | None) -> Technique:
        return Technique(
            family=Family.PRUNING,
            lossy=True,
            sparsity=self.sparsity,
            structure="unstructured",
            gradual=self.gradual and self.epochs > 0,
            epochs=self.epochs,
            fine_tuned=self.epochs > 0,
            batch_norm=self.batch_norm,
            aggressive=self.sparsity >= 0.5 and not self.epochs,
        )

    def run(self, model: Artifact, joined: Mapping[Role, Artifact], context: Context) -> Outcome:
        from dataclasses import replace

        from edgekit.pruning.sparsity import Ramp, zero_smallest
        from edgekit.training.modules import constraint_of, saved_module
        from edgekit.training.trained import train_module
        from edgekit.training.weight_constraints import weights_of

        module = saved_module(context.project, model)
        held = replace(constraint_of(model), sparse=True)
        constraint = None
        if self.gradual and self.epochs:
            constraint = Ramp(module, held, self.sparsity, self.scope)
        else:
            zero_smallest(module, self.sparsity, self.scope)
        what = f"fine-tuning the sparse {context.role}"
        outcome = train_module(module, held, self.training, context, what, constraint=constraint)
        weights = list(weights_of(module).values())
        zeros = sum(int((each == 0).sum()) for each in weights) / sum(each.numel() for each in weights)
        return Outcome(outcome.path, {**outcome.notes, "zeros": zeros})
