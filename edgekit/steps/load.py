"""load: take the trained weights that the project declares, instead of training."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.contract.artifact import Artifact
from edgekit.contract.step import Context, Contract, Outcome, Step
from edgekit.contract.technique import Family, Technique
from edgekit.errors import ProjectError
from edgekit.progress import Progress
from edgekit.target import Target
from edgekit.traits import Format, Role, Trait, facts

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Load(Step):
    """Load `teacher_weights` or `student_weights` into the entry point's module. No pickle is executed."""

    contract = Contract(
        requires=facts(Format.TORCH, Trait.FLOAT, Trait.UNCUT),
        provides=facts(Trait.CONVERGED),
        preserves=facts(Format.TORCH, Trait.FLOAT, Trait.UNCUT),
        settings=frozenset({"weights"}),
        packages=("torch",),
    )

    def technique(self, target: Target | None) -> Technique:
        return Technique(family=Family.TRAINING, discards=True)

    def run(self, model: Artifact, joined: Mapping[Role, Artifact], context: Context) -> Outcome:
        from edgekit.training.modules import parameter_count, save_module, saved_module

        weights = context.project.weights_file(context.role)
        if weights is None:
            raise ProjectError(
                f"the recipe loads the {context.role}, but edgekit.toml has no weights",
                f'add {context.role}_weights = "file.safetensors" to [model], or use the step train',
            )
        module = saved_module(context.project, model)
        notes = self.load(module, weights, context.progress)
        path = context.folder / "model.safetensors"
        save_module(module, context.project, context.role, path)
        return Outcome(path, {"weights": weights.name, **notes, "parameters": parameter_count(module)})

    def load(self, module: "nn.Module", weights: Path, progress: Progress) -> dict[str, Any]:
        """Load the file into the module, in place; returns what to note."""
        from edgekit.training.weights import load_weights

        load_weights(module, weights)
        return {}
