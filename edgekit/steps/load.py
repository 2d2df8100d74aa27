"""load: take the trained weights that the project declares, instead of training."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgekit.artifact import Artifact
from edgekit.errors import ProjectError
from edgekit.steps.step import Context, Contract, Outcome, Step
from edgekit.steps.technique import Family, Technique
from edgekit.target import Target
from edgekit.traits import Format, Role, Trait, facts


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
        from edgekit.training.weights import load_weights

        weights = self.weights(context)
        module = saved_module(context.project, model)
        load_weights(module, weights)
        path = context.folder / "model.safetensors"
        save_module(module, context.project, context.role, path)
        return Outcome(path, {"weights": weights.name, "parameters": parameter_count(module)})

    def weights(self, context: Context) -> Path:
        """The file that the project declares for the role. Raises ProjectError where it declares none."""
        found = context.project.weights_file(context.role)
        if found is None:
            raise ProjectError(
                f"the recipe loads the {context.role}, and edgekit.toml names no weights",
                f'add {context.role}_weights = "file.safetensors" to [model], or use the step train',
            )
        return found
