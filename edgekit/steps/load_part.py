"""load-part: take what fits of the declared weights, as a backbone under a new head does; the rest is to be trained."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from edgekit.artifact import Artifact
from edgekit.steps.load import Load
from edgekit.steps.step import Context, Outcome
from edgekit.traits import Role


@dataclass(frozen=True)
class LoadPart(Load):
    """Load the tensors whose names and shapes the module has, below one of its modules where they fit there."""

    contract = replace(Load.contract, provides=frozenset())

    def run(self, model: Artifact, joined: Mapping[Role, Artifact], context: Context) -> Outcome:
        from edgekit.training.modules import parameter_count, save_module, saved_module
        from edgekit.training.weights import load_part

        weights = self.weights(context)
        module = saved_module(context.project, model)
        part = load_part(module, weights)
        context.progress.note(part.told(weights.name))
        path = context.folder / "model.safetensors"
        save_module(module, context.project, context.role, path)
        notes = {"weights": weights.name, "below": part.below, "loaded": part.loaded, "left": part.left}
        return Outcome(path, {**notes, "made": part.made, "parameters": parameter_count(module)})
