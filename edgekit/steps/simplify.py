"""simplify: the smallest equivalent graph from onnxsim or onnxslim, with inferred shapes and folded batch norms."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.children import script_command
from edgekit.contract.artifact import Artifact
from edgekit.contract.step import Context, Contract, Outcome, Step
from edgekit.contract.technique import Family, Technique
from edgekit.errors import ModelError, StepError, last_line
from edgekit.target import Target
from edgekit.traits import Data, Format, Role, Trait, facts

if TYPE_CHECKING:
    from edgekit.arrays import Arrays

_TIMEOUT_S = 600

# Each runs in a separate process, because onnxsim can crash its process (its issues 187, 231, 360, 426). onnxslim
# imports torch if it can, without need: two thirds of its time on a small model. Its Attention is ONNX Runtime's
# contrib operator, which cannot be quantized. It moves the factor at the end of a Gelu written with Erf into the
# following convolution, after which that Gelu can no longer be fused into the runtime's kernel.
_SIMPLIFIERS = {
    "onnxsim": """
import sys
sys.modules["torch"] = None
import onnx, onnxsim
model = onnx.load(sys.argv[1])
skipped = ["fuse_attention"]
if any(node.op_type == "Erf" for node in model.graph.node):
    skipped.append("fuse_preceding_mul_into_conv")
model, sound = onnxsim.simplify(model, skipped_optimizers=skipped)
assert sound
onnx.save(model, sys.argv[2])
""",
    "onnxslim": """
import onnx, onnxslim, sys
onnx.save(onnxslim.slim(onnx.load(sys.argv[1])), sys.argv[2])
""",
}


@dataclass(frozen=True)
class Simplify(Step):
    """Run onnxsim and onnxslim, and keep the graph with the fewest nodes among those with equal outputs.

    If neither succeeds, the graph is kept, with inferred shapes and folded batch norms.
    """

    contract = Contract(
        requires=facts(Format.ONNX, Trait.FLOAT, Trait.PORTABLE),
        provides=facts(Trait.FOLDED),
        preserves=facts(Format.ONNX, Trait.FLOAT, Trait.PORTABLE, Trait.STATIC, Trait.CONVERGED),
        data=frozenset({Data.CALIBRATION}),
        packages=("onnx", "onnx-ir", "onnxruntime", "onnxscript", "onnxsim", "onnxslim"),
    )
    sections = ("simplification",)
    reference_order = 1

    def technique(self, target: Target | None) -> Technique:
        return Technique(family=Family.GRAPH)

    def run(self, model: Artifact, joined: Mapping[Role, Artifact], context: Context) -> Outcome:
        from edgekit.data.calibration_batches import first_calibration_samples
        from edgekit.model.facts import observed_facts
        from edgekit.model.inspection import file_notes
        from edgekit.model.passes.fold_batch_norm import FoldBatchNormPass
        from edgekit.model.passes.mean_to_global_pool import MeanToGlobalPoolPass
        from edgekit.model.passes.rewriting import rewrite
        from edgekit.model.reading import load_model, save_model, strip_annotations
        from edgekit.model.shapes import with_shapes

        samples = first_calibration_samples(context.splits, model.path)
        source = _Source.of(model.path, samples.inputs)
        tried: dict[str, Any] = {}
        sound: list[tuple[int, int, str, Path]] = []
        for name in _SIMPLIFIERS:
            candidate = context.folder / f"{name}.onnx"
            tried[name] = verdict = _attempt(name, source, candidate)
            if verdict["status"] == "equal":
                strip_annotations(candidate, model.path)
                sound.append((verdict["nodes"], candidate.stat().st_size, name, candidate))
        if sound:
            _, _, chosen, best = min(sound)
        else:
            chosen, best = "neither", model.path
            text = "; ".join(f"{name}: {each['status']}" for name, each in tried.items())
            context.progress.note(f"neither simplifier gave an equivalent graph; the graph is unchanged ({text})")
        plain = with_shapes(load_model(best))
        folded = rewrite(plain, FoldBatchNormPass())
        versions = [rewrite(with_shapes(folded), MeanToGlobalPoolPass()), folded, plain]
        path = context.folder / "model.onnx"
        for version in versions:
            save_model(with_shapes(version), path)
            if source.verdict(path)["status"] == "equal":
                break
        else:
            shutil.copyfile(model.path, path)
        for name in _SIMPLIFIERS:
            (context.folder / f"{name}.onnx").unlink(missing_ok=True)
        missing = self.contract.provides - observed_facts(load_model(path))
        if missing:
            raise StepError(
                f"the simplified graph lacks {', '.join(sorted(missing))}",
                "inspect the operators: edgekit inspect",
            )
        return Outcome(
            path,
            {
                **file_notes(path),
                "chosen": chosen,
                "tried": tried,
                "nodes_before": _nodes(model.path),
                "tolerance": source.tolerance,
                "compared_on": samples.origin,
            },
        )


@dataclass(frozen=True)
class _Source:
    """The file that a candidate must be equivalent to."""

    path: Path
    inputs: "Arrays"
    outputs: "Arrays"
    tolerance: float

    @staticmethod
    def of(path: Path, inputs: "Arrays") -> "_Source":
        from edgekit.numerics.tolerance import float_tolerance
        from edgekit.runtimes.ort import host_outputs

        outputs = host_outputs(path, inputs, optimize=False)
        return _Source(path, inputs, outputs, float_tolerance(outputs, host_outputs(path, inputs)))

    def verdict(self, candidate: Path) -> dict[str, Any]:
        """Whether a rewritten file gives its source's outputs: equal (with the number of nodes), differs, has
        non-standard operators, or cannot run."""
        from edgekit.model.facts import observed_facts
        from edgekit.model.reading import load_model
        from edgekit.numerics.compare import relative_difference
        from edgekit.runtimes.ort import host_outputs

        try:
            model = load_model(candidate)
            if Trait.PORTABLE not in observed_facts(model):
                return {"status": "gave operators that are not standard"}
            apart = relative_difference(self.outputs, host_outputs(candidate, self.inputs, optimize=False))
        except ModelError as error:
            return {"status": f"gave a broken file: {error.message}"}
        if apart > self.tolerance:
            return {"status": f"differs by {apart:.1e}, the rounding tolerance is {self.tolerance:.1e}"}
        return {"status": "equal", "nodes": len(model.graph.node), "parity": apart}


def _attempt(name: str, source: _Source, path: Path) -> dict[str, Any]:
    """Run one simplifier and report the result: equal (with the number of nodes), differs, crashed, failed, timed
    out."""
    fault = _run_simplifier(_SIMPLIFIERS[name], source.path, path)
    return {"status": fault} if fault else source.verdict(path)


def _run_simplifier(script: str, source: Path, path: Path) -> str:
    """Run a simplifier's script in a separate process; returns the error, if any."""
    import subprocess

    command = script_command(script, str(source.resolve()), str(path))
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return "timed out"
    if done.returncode < 0:
        return f"crashed with signal {-done.returncode}"
    if done.returncode or not path.is_file():
        return f"failed: {last_line(done.stderr)}"
    return ""


def _nodes(path: Path) -> int:
    from edgekit.model.reading import load_model

    return len(load_model(path).graph.node)
