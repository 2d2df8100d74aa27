"""Run steps through the cache: the only place that decides whether work is repeated."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.cache import Cache, Entry
from edgekit.contract.artifact import Artifact
from edgekit.contract.step import DISTURBED, OUTLIERS, Context, TargetView
from edgekit.data.splits import Splits
from edgekit.errors import EdgekitError, StepError, storage_errors, type_and_line
from edgekit.execution.gaps import gap_warning
from edgekit.execution.keys import DataDigests, metric_key, step_key
from edgekit.files import sha256_of_json
from edgekit.planning.plan import PlannedStep
from edgekit.progress import Progress
from edgekit.project.entrypoints import check_functions
from edgekit.project.project import Project
from edgekit.project.sources import code_version
from edgekit.target import Target
from edgekit.traits import MODULE_ENTRY, Data, Facts, Format, Role, Trait

if TYPE_CHECKING:
    from edgekit.arrays import Array
    from edgekit.metrics.named import Sampled

_OBSERVABLE = frozenset({Format.ONNX, Trait.FLOAT, Trait.INTEGER, Trait.PORTABLE, Trait.STATIC, Trait.FOLDED})
_SCORES = "scores.npy"


@dataclass(frozen=True)
class StepRun:
    """The result of a step in this build."""

    name: str
    role: Role
    cached: bool
    seconds: float
    """Time spent in this build."""
    artifact: Artifact
    options: dict[str, Any]
    metric: float | None
    """On the evaluation split, on this machine; None if the step's model is not trained."""
    warning: str = ""
    """The gap between training and evaluation if it is large, and its likely cause; or outliers among the calibration
    samples."""


Runs = Mapping[int, StepRun] | Sequence[StepRun]


class Driver:
    """Runs the steps of a project, or takes their outputs from the cache."""

    def __init__(
        self, project: Project, progress: Progress, splits: Splits | None = None, *, again: bool = False
    ) -> None:
        """With `again`, steps whose output depends on times of this machine run again."""
        self.project = project
        self.again = again
        self.progress = progress
        self.cache = Cache(project.cache_folder)
        self.splits = splits or Splits(project)
        self._references: dict[bool, Sampled] = {}
        self._evaluations: dict[tuple[str, Role, bool, str], Entry] = {}
        self.data = DataDigests(project, self.splits, self.cache, progress)

    def step_run(self, target: Target, planned: PlannedStep, runs: Runs, total: int) -> StepRun:
        """Run one of `total` steps, or take its output from the cache. `runs` holds earlier steps by index."""
        started = time.perf_counter()
        number, name = planned.index + 1, planned.label
        self.progress.step_started(target.id, number, total, name)
        model = self._input(planned.role, planned.parent, runs)
        joined = {role: runs[index].artifact for role, index in planned.joined.items()}
        key = step_key(self.project, self.data, target, planned, model, joined)
        entry, cached = self.cache.entry(
            key,
            lambda output, checkpoints: self._work(output, checkpoints, target, planned, model, joined),
            lambda: self.progress.note(f"waiting for another build's step {name} to end"),
            lambda record: not ((self.again and planned.step.is_timed(target)) or record["notes"].get(DISTURBED)),
        )
        artifact = Artifact(
            path=entry.folder / entry.record["file"],
            format=next((each for each in Format if each in planned.facts), Format.TORCH),
            facts=planned.facts,
            digest=entry.record["files"][entry.record["file"]],
            role=planned.role,
            parents=(model.digest, *(each.digest for each in joined.values())),
            notes=entry.record["notes"],
            hold=entry.hold,
        )
        metric = self.metric(artifact, target) if Trait.CONVERGED in planned.facts else None
        warning = gap_warning(artifact.notes, self.scores(artifact, target) if "accuracy" in artifact.notes else None)
        warning = warning or "; ".join(artifact.notes.get(OUTLIERS, ()))
        seconds = time.perf_counter() - started
        self.progress.step_finished(target.id, number, total, name, cached=cached, seconds=seconds)
        if warning:
            self.progress.note(f"{name}: {warning}")
        options = planned.step.options()
        return StepRun(planned.step.name(), planned.role, cached, seconds, artifact, options, metric, warning)

    def _work(
        self,
        output: Path,
        checkpoints: Path,
        target: Target,
        planned: PlannedStep,
        model: Artifact,
        joined: Mapping[Role, Artifact],
    ) -> dict[str, Any]:
        """Run a step in its workspace, check its contract, and return its record."""
        # Before the first work, not before a build that finds all results in the cache: it imports the user's modules.
        check_functions(self.project.root, self.project.functions)
        role = planned.role if planned.role is not Role.REFERENCE else model.role
        view = TargetView(target, planned.step.contract.target)
        context = Context(self.project, self.splits, view, role, output, checkpoints, self.progress)
        label = f"step {planned.index + 1} {planned.label}"
        try:
            with storage_errors(output):
                outcome = planned.step.run(model, joined, context)
        except EdgekitError:
            raise
        except Exception as error:
            raise StepError(
                f"{label} raised {type_and_line(error)}",
                "the results of the steps before it are cached; run again with --debug to see the traceback",
            ) from error
        check_declaration(label, planned.facts, outcome.path)
        return {"kind": "step", "step": planned.step.name(), "file": outcome.path.name, "notes": outcome.notes}

    def _input(self, role: Role, parent: int | None, runs: Runs) -> Artifact:
        """The artifact that a step reads: another step's output, or the role's entry point."""
        return self.entry(role) if parent is None else runs[parent].artifact

    def entry(self, role: Role) -> Artifact:
        """What a role's models start from: the project's model file with its weights inside, or the entry point."""
        if self._model_file is not None:
            return self._model_file
        entry = self.project.model_entry(role) or ""
        return Artifact(self.project.root / entry, Format.TORCH, MODULE_ENTRY, self.project.entry_digest(entry), role)

    @cached_property
    def _model_file(self) -> Artifact | None:
        """The file that the project starts from, with its weights inside; None for projects whose modules are
        trained."""
        path = self.project.model_file
        if path is None:
            return None
        from edgekit.model.importing import file_digest, import_model
        from edgekit.model.reading import save_model

        def work(output: Path, _: Path) -> dict[str, Any]:
            save_model(import_model(path), output / "model.onnx")
            return {"kind": "model", "file": "model.onnx"}

        key = sha256_of_json({"imported": file_digest(path), "code": code_version("edgekit.model.importing")})
        entry, _ = self.cache.entry(key, work)
        digest = entry.record["files"]["model.onnx"]
        facts = self.project.entry_facts
        return Artifact(entry.folder / "model.onnx", Format.ONNX, facts, digest, Role.STUDENT, hold=entry.hold)

    def metric(self, artifact: Artifact, target: Target) -> float:
        """The project's metric of a module or file on this machine, with the target's integer saturation."""
        return float(self._evaluation(artifact, target).record["value"])

    def chance(self, artifact: Artifact, target: Target) -> float | None:
        """The project's metric that chance can reach; None where it is unknown."""
        chance: float | None = self._evaluation(artifact, target).record["chance"]
        return chance

    def about(self, artifact: Artifact, target: Target) -> str:
        """A remark on the evaluation data, from the data itself; empty if there is none."""
        text: str = self._evaluation(artifact, target).record["about"]
        return text

    def similarity(self, artifact: Artifact, target: Target) -> dict[str, float]:
        """The similarity of a file's outputs to those of the project's model file, by metric; empty for projects of
        modules."""
        found: dict[str, float] = self._evaluation(artifact, target).record["similarity"]
        return found

    def scores(self, artifact: Artifact, target: Target) -> "Array | None":
        """Each evaluation sample's contribution to the metric, shape (samples,); None if the metric is not a mean over
        samples."""
        import numpy as np

        path = self._evaluation(artifact, target).folder / _SCORES
        scores: Array | None = np.load(path) if path.is_file() else None
        return scores

    def _evaluation(self, artifact: Artifact, target: Target) -> Entry:
        project = self.project
        exact = Trait.INTEGER in artifact.facts and not target.saturates
        others = artifact.format is Format.TFLITE or (
            target.runtime.spec.own_arithmetic and artifact.format is Format.ONNX and Trait.INTEGER in artifact.facts
        )
        runtime = target.runtime.name if others else ""
        known = self._evaluations.get((artifact.digest, artifact.role, exact, runtime))
        if known is not None:
            return known

        def evaluate(output: Path, _: Path) -> dict[str, Any]:
            import numpy as np

            split = self.splits[Data.EVALUATION]
            if artifact.format is Format.TORCH:
                from edgekit.training.evaluation import module_evaluation
                from edgekit.training.modules import saved_module

                judged = module_evaluation(saved_module(project, artifact), project, split)
            else:
                from edgekit.metrics.evaluation import file_evaluation

                reference_outputs = self._reference_outputs(target)
                judged = file_evaluation(
                    artifact.path, project, split, exact=exact, reference=reference_outputs, runtime=runtime
                )
            if judged.scores is not None:
                np.save(output / _SCORES, judged.scores.astype(np.float32))
            return {
                "kind": "metric",
                "value": judged.value,
                "chance": judged.chance,
                "similarity": dict(judged.similarity),
                "about": split.about,
            }

        reference = self._model_file.digest if self._model_file is not None else ""
        key = metric_key(project, self.data, artifact, exact=exact, reference=reference, runtime=runtime)
        found, _ = self.cache.entry(key, evaluate)
        self._evaluations[artifact.digest, artifact.role, exact, runtime] = found
        return found

    def _reference_outputs(self, target: Target) -> "Sampled | None":
        """The outputs of the project's model file on the evaluation split, with the target's integer saturation; None
        for projects of modules."""
        if self._model_file is None:
            return None
        from edgekit.metrics.evaluation import file_outputs

        exact = Trait.INTEGER in self._model_file.facts and not target.saturates
        if exact not in self._references:
            found = file_outputs(self._model_file.path, self.splits[Data.EVALUATION], exact=exact)
            self._references[exact] = found
        return self._references[exact]


def check_declaration(label: str, declared: Facts, path: Path) -> None:
    """Check a step's file against its contract, as far as facts can be observed. Raises StepError."""
    if Format.ONNX not in declared:
        return
    from edgekit.model.facts import observed_facts
    from edgekit.model.reading import load_model

    missing = (declared & _OBSERVABLE) - observed_facts(load_model(path))
    if missing:
        raise StepError(
            f"{label} declares the output traits {', '.join(sorted(missing))}, but its output lacks them",
            "this is a defect of the step: inspect its output with edgekit inspect, and report it",
        )
