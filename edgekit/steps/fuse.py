"""fuse: apply ONNX Runtime's optimization once, here, instead of at every start on the device."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.contract.artifact import Artifact
from edgekit.contract.step import Context, Contract, Outcome, Step
from edgekit.contract.technique import Family, Technique
from edgekit.errors import StepError
from edgekit.target import Target
from edgekit.traits import Data, Format, Role, Trait, facts

if TYPE_CHECKING:
    from edgekit.arrays import Arrays

_OTHERWISE = "the device's runtime does the same when it loads the model: {}"
"""The hint if the runtime's optimization changes outputs: without this step the fault is on the device."""
_EXPORT = _OTHERWISE.format("export that part of the model with other operators, and report the model")


@dataclass(frozen=True)
class Fuse(Step):
    """Fuse operators into the runtime's kernels for the target; always last."""

    slim: bool = True
    """Shorten inner names and drop inner shapes, which in a model of a few kilobytes are as large as a layer."""

    layouts: bool = False
    """Also use data layouts for this machine's CPU; only for a target that is this machine."""

    contract = Contract(
        requires=facts(Format.ONNX, Trait.PORTABLE),
        provides=facts(),
        preserves=facts(Format.ONNX, Trait.FLOAT, Trait.INTEGER, Trait.STATIC, Trait.FOLDED, Trait.CONVERGED),
        data=frozenset({Data.CALIBRATION}),
        target=frozenset({"arch"}),
        packages=("onnx", "onnx-ir", "onnxruntime"),
    )
    sections = ("operators",)
    feature = "onnxruntime-kernels"

    def technique(self, target: Target | None) -> Technique:
        return Technique(family=Family.GRAPH, fused=True, ties_cpu=self.layouts)

    def run(self, model: Artifact, joined: Mapping[Role, Artifact], context: Context) -> Outcome:
        from edgekit.data.calibration_batches import first_calibration_samples
        from edgekit.model.facts import activation_types
        from edgekit.model.inspection import file_notes, inspect_model, operator_notes
        from edgekit.model.passes.add_to_sum import AddToSumPass
        from edgekit.model.passes.rewriting import rewrite
        from edgekit.model.passes.slim_graph import SlimGraphPass
        from edgekit.model.reading import load_model, save_model, strip_annotations
        from edgekit.numerics.compare import relative_difference
        from edgekit.runtimes.ort import host_outputs, optimize_offline

        path, plain = context.folder / "model.onnx", context.folder / "plain.onnx"
        given = load_model(model.path)
        save_model(rewrite(given, AddToSumPass()), plain)
        optimize_offline(plain, path, keep_int8_activations=context.target.arch == "aarch64", layouts=self.layouts)
        plain.unlink()
        strip_annotations(path, model.path)
        before, fused = activation_types(given), load_model(path)
        after = activation_types(fused)
        if not after <= before:
            raise StepError(
                f"fusing changed the activations from {', '.join(sorted(before))} to {', '.join(sorted(after))}, "
                "for which the target's kernels were not chosen",
                "remove fuse from the recipe: a session on the device keeps the activations",
            )
        compared = first_calibration_samples(context.splits, model.path)
        differences = (_integer_differences if after else _float_differences)(model.path, path, compared.inputs)
        if self.slim:
            outputs = host_outputs(path, compared.inputs, optimize=False)
            save_model(rewrite(fused, SlimGraphPass()), path)
            if relative_difference(outputs, host_outputs(path, compared.inputs, optimize=False)) > 0:
                raise StepError("slimming changes the model's outputs", "set slim = false in the step fuse")
        found = inspect_model(path)
        return Outcome(
            path,
            {
                **file_notes(path, found),
                "activations": sorted(after),
                **operator_notes(found),
                **differences,
                "compared_on": compared.origin,
            },
        )


def _float_differences(source: Path, fused: Path, inputs: "Arrays") -> dict[str, float]:
    """The differences of the outputs, and the tolerance. Raises StepError for more than rounding explains, including
    8-bit rounding with dynamic ranges."""
    from edgekit.model.facts import observed_facts
    from edgekit.model.reading import load_model
    from edgekit.numerics.compare import relative_difference
    from edgekit.numerics.tolerance import float_tolerance, lsb_tolerance
    from edgekit.runtimes.ort import host_outputs

    before, after = (host_outputs(path, inputs, optimize=False) for path in (source, fused))
    apart, tolerance = relative_difference(before, after), float_tolerance(before, host_outputs(source, inputs))
    if Trait.INTEGER in observed_facts(load_model(source)):
        tolerance = max(tolerance, lsb_tolerance(source, tuple(each[None] for each in inputs)))
    if apart > tolerance:
        raise StepError(
            f"fusing changes the model's outputs: they differ by {apart:.1e} of the largest value, "
            f"the rounding tolerance is {tolerance:.1e}",
            _EXPORT,
        )
    return {"difference": apart, "tolerance": tolerance}


def _integer_differences(source: Path, fused: Path, inputs: "Arrays") -> dict[str, float]:
    """The differences of the outputs, and the largest layer-wise error in LSB. Raises StepError for more than one
    LSB."""
    from edgekit.model.reading import load_model
    from edgekit.numerics.compare import relative_difference
    from edgekit.numerics.layerwise import layer_lsb_errors
    from edgekit.numerics.runtime_differences import ROUNDING_LSB
    from edgekit.runtimes.ort import host_outputs

    steps = layer_lsb_errors(source, fused, inputs)
    off = [name for name, found in steps.items() if found > ROUNDING_LSB]
    if off:
        makers = {name: node.op_type for node in load_model(fused).graph.node for name in node.output}
        raise StepError(
            f"fusing changes the model's outputs: '{off[0]}' ({makers[off[0]]}) differs by {steps[off[0]]:g} LSB",
            _OTHERWISE.format("quantize the float model with the step quantize, which keeps such operators in float"),
        )
    outputs = (host_outputs(path, inputs, optimize=False) for path in (source, fused))
    return {"difference": relative_difference(*outputs), "steps_off": max(steps.values(), default=0.0)}
