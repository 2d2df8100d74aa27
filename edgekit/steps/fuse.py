"""fuse: ONNX Runtime's own optimization, done once here instead of at every start on the device."""

from collections.abc import Mapping
from dataclasses import dataclass

from edgekit.artifact import Artifact
from edgekit.errors import StepError
from edgekit.steps.step import Context, Contract, Outcome, Step
from edgekit.steps.technique import Family, Technique
from edgekit.target import Target
from edgekit.traits import Format, Role, Trait, facts


@dataclass(frozen=True)
class Fuse(Step):
    """Fuse operators into the runtime's kernels for the target; always last."""

    slim: bool = True
    """Shorten inner names and drop inner shapes: in a model of a few kilobytes they weigh as much as a layer."""

    layouts: bool = False
    """Arrange weights and tensors for this machine's CPU, too: only for a target that is this machine."""

    contract = Contract(
        requires=facts(Format.ONNX, Trait.PORTABLE),
        provides=facts(),
        preserves=facts(Format.ONNX, Trait.FLOAT, Trait.INTEGER, Trait.FOLDED, Trait.CONVERGED),
        target=frozenset({"arch"}),
        packages=("onnx", "onnx-ir", "onnxruntime"),
    )

    def technique(self, target: Target | None) -> Technique:
        return Technique(family=Family.GRAPH, fused=True, ties_cpu=self.layouts)

    def run(self, model: Artifact, joined: Mapping[Role, Artifact], context: Context) -> Outcome:
        from edgekit.model.counting import described
        from edgekit.model.facts import activation_types
        from edgekit.model.operators import operator_kinds
        from edgekit.model.parity import relative_difference
        from edgekit.model.passes.rewriting import rewritten
        from edgekit.model.passes.slimmed import slimmed
        from edgekit.model.reading import load_model, save_model, strip_annotations
        from edgekit.model.sample import random_inputs
        from edgekit.runtimes.ort import host_outputs, optimize_offline

        path = context.folder / "model.onnx"
        optimize_offline(model.path, path, keep_int8_activations=context.target.arch == "aarch64", layouts=self.layouts)
        strip_annotations(path)
        before, fused = activation_types(load_model(model.path)), load_model(path)
        after = activation_types(fused)
        if not after <= before:
            raise StepError(
                f"fusing changed the activations from {', '.join(sorted(before))} to {', '.join(sorted(after))}, "
                "which the target's kernels are not chosen for",
                "leave fuse out of the recipe: the device's runtime fuses when it loads the model",
            )
        if self.slim:
            save_model(rewritten(fused, slimmed), path)
        integer, floating = operator_kinds(load_model(path))
        inputs = random_inputs(model.path)
        return Outcome(
            path,
            {
                **described(path),
                "activations": sorted(after),
                "integer_operators": integer,
                "float_operators": floating,
                "difference": relative_difference(host_outputs(model.path, inputs), host_outputs(path, inputs)),
            },
        )
