"""distill: train the student on the teacher's outputs as well as on the targets."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated

from msgspec import Meta

from edgekit.contract.artifact import Artifact
from edgekit.contract.step import Context, Outcome
from edgekit.contract.technique import Family, Technique
from edgekit.steps.trained import TrainedStep
from edgekit.target import Target
from edgekit.traits import Format, Role, Trait, facts


@dataclass(frozen=True)
class Distill(TrainedStep):
    """Knowledge distillation with Hinton's loss (arXiv 1503.02531)."""

    temperature: Annotated[float, Meta(gt=0)] = 4.0
    alpha: Annotated[float, Meta(ge=0, le=1)] = 0.7
    """The weight of the teacher's outputs in the loss; the targets have weight 1 - alpha."""

    contract = replace(TrainedStep.contract, joins={Role.TEACHER: facts(Format.TORCH, Trait.FLOAT, Trait.CONVERGED)})
    without_joined = "train"

    def technique(self, target: Target | None) -> Technique:
        return Technique(family=Family.DISTILLATION, lossy=True, epochs=self.epochs, fine_tuned=True, aggressive=False)

    def run(self, model: Artifact, joined: Mapping[Role, Artifact], context: Context) -> Outcome:
        from edgekit.training.losses import distillation_loss, task_loss
        from edgekit.training.modules import constraint_of, device_of_training, saved_module
        from edgekit.training.trained import train_module

        project = context.project
        teacher = saved_module(project, joined[Role.TEACHER]).to(device_of_training())
        loss = distillation_loss(task_loss(project), teacher, self.temperature, self.alpha)
        module = saved_module(project, model)
        return train_module(module, constraint_of(model), self.training, context, "distilling the student", loss=loss)
