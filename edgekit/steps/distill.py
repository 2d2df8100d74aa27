"""distill: train the student on the teacher's outputs as well as on the targets."""

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
class Distill(Step):
    """Knowledge distillation with Hinton's loss (arXiv 1503.02531)."""

    epochs: Annotated[int, Meta(ge=1)] = 60
    learning_rate: Annotated[float, Meta(gt=0)] = 0.01
    weight_decay: Annotated[float, Meta(ge=0)] = 0.01
    temperature: Annotated[float, Meta(gt=0)] = 4.0
    alpha: Annotated[float, Meta(ge=0, le=1)] = 0.7
    """The weight of the teacher's outputs; the targets weigh 1 - alpha."""

    contract = Contract(
        requires=facts(Format.TORCH, Trait.FLOAT),
        provides=facts(Trait.CONVERGED),
        preserves=facts(Format.TORCH, Trait.FLOAT, Trait.UNCUT),
        joins={Role.TEACHER: facts(Format.TORCH, Trait.FLOAT, Trait.CONVERGED)},
        data=frozenset({Data.TRAIN}),
        settings=frozenset({"seed", "loss"}),
        packages=("torch",),
    )

    def technique(self, target: Target | None) -> Technique:
        return Technique(family=Family.DISTILLATION, lossy=True, fine_tuned=True, aggressive=False)

    def run(self, model: Artifact, joined: Mapping[Role, Artifact], context: Context) -> Outcome:
        from edgekit.training.held import Constraint
        from edgekit.training.loop import Schedule, fit
        from edgekit.training.losses import distillation_loss, task_loss
        from edgekit.training.modules import device_of_training, held_by, parameter_count, save_module, saved_module

        project = context.project
        teacher = saved_module(project, joined[Role.TEACHER]).to(device_of_training())
        module = saved_module(project, model)
        held = held_by(model)
        loss = distillation_loss(task_loss(project), teacher, project.model.teacher or "", self.temperature, self.alpha)
        told = fit(
            module,
            context.splits[Data.TRAIN],
            loss,
            Schedule(self.epochs, self.learning_rate, self.weight_decay),
            context.checkpoints / "epoch.pt",
            context.progress,
            "distilling the student",
            Constraint(module, held),
        )
        path = context.folder / "model.safetensors"
        save_module(module, project, context.role, path, held)
        return Outcome(path, {**told, "parameters": parameter_count(module)})
