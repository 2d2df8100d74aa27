"""train: fit a role's module to the training split."""

from collections.abc import Mapping
from dataclasses import dataclass

from edgekit.contract.artifact import Artifact
from edgekit.contract.step import Context, Outcome
from edgekit.contract.technique import Family, Technique
from edgekit.steps.trained import TrainedStep
from edgekit.target import Target
from edgekit.traits import Role


@dataclass(frozen=True)
class Train(TrainedStep):
    """Train the entry point's module from its initial weights with the task's loss."""

    loaded_by = "load"

    def technique(self, target: Target | None) -> Technique:
        return Technique(family=Family.TRAINING, epochs=self.epochs)

    def run(self, model: Artifact, joined: Mapping[Role, Artifact], context: Context) -> Outcome:
        from edgekit.training.modules import constraint_of, saved_module
        from edgekit.training.trained import train_module

        module = saved_module(context.project, model)
        return train_module(module, constraint_of(model), self.training, context, f"training the {context.role}")
