"""train: fit a role's module to the training split."""

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
class Train(Step):
    """Train the entry point's module from its initial weights with the task's loss."""

    epochs: Annotated[int, Meta(ge=1)] = 60
    learning_rate: Annotated[float, Meta(gt=0)] = 0.01
    weight_decay: Annotated[float, Meta(ge=0)] = 0.01

    contract = Contract(
        requires=facts(Format.TORCH, Trait.FLOAT),
        provides=facts(Trait.CONVERGED),
        preserves=facts(Format.TORCH, Trait.FLOAT, Trait.UNCUT),
        data=frozenset({Data.TRAIN}),
        settings=frozenset({"seed", "loss"}),
        packages=("torch",),
    )

    def technique(self, target: Target | None) -> Technique:
        return Technique(family=Family.TRAINING)

    def run(self, model: Artifact, joined: Mapping[Role, Artifact], context: Context) -> Outcome:
        from edgekit.training.held import Constraint
        from edgekit.training.loop import Schedule, fit
        from edgekit.training.losses import task_loss
        from edgekit.training.modules import held_by, parameter_count, save_module, saved_module

        project = context.project
        module = saved_module(project, model)
        held = held_by(model)
        told = fit(
            module,
            context.splits[Data.TRAIN],
            task_loss(project),
            Schedule(self.epochs, self.learning_rate, self.weight_decay),
            context.checkpoints / "epoch.pt",
            context.progress,
            f"training the {context.role}",
            Constraint(module, held),
        )
        path = context.folder / "model.safetensors"
        save_module(module, project, context.role, path, held)
        return Outcome(path, {**told, "parameters": parameter_count(module)})
