"""simplify: the smallest equal graph that onnxsim or onnxslim finds, with shapes inferred and batch norms folded."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.artifact import Artifact
from edgekit.errors import ModelError, StepError, last_line
from edgekit.steps.step import Context, Contract, Outcome, Step
from edgekit.steps.technique import Family, Technique
from edgekit.target import Target
from edgekit.traits import Format, Role, Trait, facts

_TOLERANCE = 1e-4
_TIMEOUT_S = 600

# Each runs in a process of its own: onnxsim can crash the one that it runs in (its issues 187, 231, 360, 426). It
# imports torch where it can, for what is not used here: two thirds of its time on a small model.
_SIMPLIFIERS = {
    "onnxsim": """
import sys
sys.modules["torch"] = None
import onnx, onnxsim
model, sound = onnxsim.simplify(onnx.load(sys.argv[1]))
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
    """Run onnxsim and onnxslim and keep the one with the fewest nodes among those whose outputs are equal."""

    contract = Contract(
        requires=facts(Format.ONNX, Trait.FLOAT, Trait.PORTABLE),
        provides=facts(Trait.SHAPED, Trait.FOLDED),
        preserves=facts(Format.ONNX, Trait.FLOAT, Trait.PORTABLE, Trait.CONVERGED),
        packages=("onnx", "onnx-ir", "onnxsim", "onnxslim"),
    )

    def technique(self, target: Target | None) -> Technique:
        return Technique(family=Family.GRAPH)

    def run(self, model: Artifact, joined: Mapping[Role, Artifact], context: Context) -> Outcome:
        from edgekit.model.counting import described
        from edgekit.model.facts import observed_facts
        from edgekit.model.passes.pooled_means import pooled_means
        from edgekit.model.passes.rewriting import rewritten
        from edgekit.model.reading import load_model, save_model, strip_annotations
        from edgekit.model.sample import random_inputs
        from edgekit.model.shapes import with_shapes

        inputs = random_inputs(model.path, batch=2)
        tried: dict[str, Any] = {}
        sound: list[tuple[int, int, str, Path]] = []
        for name in _SIMPLIFIERS:
            path = context.folder / f"{name}.onnx"
            tried[name] = verdict = _attempt(name, model.path, path, inputs)
            if verdict["status"] == "equal":
                strip_annotations(path)
                sound.append((verdict["nodes"], path.stat().st_size, name, path))
        if not sound:
            raise StepError(
                "neither onnxsim nor onnxslim gave an equal graph: "
                + "; ".join(f"{name}: {each['status']}" for name, each in tried.items()),
                "leave simplify out of the recipe, or look at the model with: edgekit inspect",
            )
        _, _, chosen, best = min(sound)
        proto = with_shapes(rewritten(with_shapes(load_model(best)), pooled_means))
        path = context.folder / "model.onnx"
        save_model(proto, path)
        if _verdict(model.path, path, inputs)["status"] != "equal":
            proto = with_shapes(load_model(best))
            save_model(proto, path)
        for _, _, _, candidate in sound:
            candidate.unlink()
        missing = self.contract.provides - observed_facts(proto)
        if missing:
            raise StepError(
                f"{chosen} left the graph without: {', '.join(sorted(missing))}",
                "look at the operators with: edgekit inspect",
            )
        return Outcome(path, {**described(path), "chosen": chosen, "tried": tried, "nodes_before": _nodes(model.path)})


def _attempt(name: str, source: Path, path: Path, inputs: tuple[Any, ...]) -> dict[str, Any]:
    """Run one simplifier and say what came of it: equal (with nodes and bytes), differs, crashed, failed, timed out."""
    import subprocess

    command = [sys.executable, "-c", _SIMPLIFIERS[name], str(source.resolve()), str(path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return {"status": "timed out"}
    if done.returncode < 0:
        return {"status": f"crashed with signal {-done.returncode}"}
    if done.returncode or not path.is_file():
        return {"status": f"failed: {last_line(done.stderr)}"}
    return _verdict(source, path, inputs)


def _verdict(source: Path, path: Path, inputs: tuple[Any, ...]) -> dict[str, Any]:
    """Whether a rewritten file gives what its source gives: equal (with nodes), differs, or cannot be run."""
    try:
        apart = _difference(source, path, inputs)
    except ModelError as error:
        return {"status": f"gave a broken file: {error.message}"}
    if apart > _TOLERANCE:
        return {"status": f"differs by {apart:.1e}"}
    return {"status": "equal", "nodes": _nodes(path), "parity": apart}


def _difference(source: Path, path: Path, inputs: tuple[Any, ...]) -> float:
    from edgekit.model.parity import relative_difference
    from edgekit.runtimes.ort import host_outputs

    return relative_difference(host_outputs(source, inputs), host_outputs(path, inputs))


def _nodes(path: Path) -> int:
    from edgekit.model.reading import load_model

    return len(load_model(path).graph.node)
