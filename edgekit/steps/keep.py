"""keep: leave a model that is already quantized as given."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass

from edgekit.contract.artifact import Artifact
from edgekit.contract.step import Context, Contract, Outcome, Step
from edgekit.contract.technique import Family, Technique
from edgekit.target import Target
from edgekit.traits import Format, Role, Trait, facts


@dataclass(frozen=True)
class Keep(Step):
    """Leave a quantized model as given, and report its form."""

    contract = Contract(
        requires=facts(Format.ONNX, Trait.INTEGER),
        provides=facts(),
        preserves=facts(Format.ONNX, Trait.INTEGER, Trait.FOLDED, Trait.PORTABLE, Trait.STATIC, Trait.CONVERGED),
        target=frozenset({"arch"}),
        packages=("onnx", "onnxruntime"),
    )
    sections = ("as-given", "operators")
    feature = "onnx-integers"

    def technique(self, target: Target | None) -> Technique:
        return Technique(family=Family.GRAPH)

    def run(self, model: Artifact, joined: Mapping[Role, Artifact], context: Context) -> Outcome:
        from edgekit.model.facts import activation_types, integer_forms_of
        from edgekit.model.inspection import file_notes, inspect_model, operator_notes
        from edgekit.model.reading import load_model
        from edgekit.runtimes.ort import optimize_offline

        path, fused = context.folder / "model.onnx", context.folder / "fused.onnx"
        shutil.copyfile(model.path, path)
        optimize_offline(path, fused, keep_int8_activations=context.target.arch == "aarch64")
        found = inspect_model(fused)
        fused.unlink()
        given = load_model(path)
        return Outcome(
            path,
            {
                **file_notes(path),
                "forms": integer_forms_of(given),
                "activations": sorted(activation_types(given)),
                **operator_notes(found),
            },
        )
