"""Steps run through the cache: the one place that decides when work is done again."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.artifact import Artifact
from edgekit.cache import Cache, Entry
from edgekit.errors import EdgekitError, StepError, storage_errors, type_and_line
from edgekit.files import sha256_of_file, sha256_of_json
from edgekit.plan import ENTRY, PlannedStep
from edgekit.progress import Progress
from edgekit.project import Project
from edgekit.sources import code_version
from edgekit.step import Context, Setting, TargetView
from edgekit.target import Target
from edgekit.traits import Data, Facts, Format, Role, Trait

if TYPE_CHECKING:
    from edgekit.arrays import Array

_OBSERVABLE = frozenset({Format.ONNX, Trait.FLOAT, Trait.INTEGER, Trait.PORTABLE, Trait.FOLDED, Trait.SHAPED})
_SCORES = "scores.npy"


@dataclass(frozen=True)
class StepRun:
    """A step as it went in this build."""

    name: str
    role: Role
    cached: bool
    seconds: float
    """Spent in this build."""
    artifact: Artifact
    options: dict[str, Any]
    metric: float | None
    """On the evaluation split, on this machine; None where the step leaves nothing trained."""


class _Data:
    """The digests of a project's splits, each found once a build."""

    def __init__(self, project: Project, cache: Cache, progress: Progress) -> None:
        self.project = project
        self.cache = cache
        self.progress = progress
        self.assumed: list[str] = []
        self._known: dict[Data, str] = {}
        self._declared = project.declared_data_digest()

    def digest(self, split: Data) -> str:
        if split not in self._known:
            self._known[split] = sha256_of_json(self._identity(split))
        return self._known[split]

    def _identity(self, split: Data) -> list[Any]:
        entry = self.project.data_entry(split)
        sources = self.project.entry_digest(entry)
        settings = [
            self.project.data.batch_size,
            self.project.data.calibration_samples if split is Data.CALIBRATION else 0,
        ]
        if self._declared is not None:
            return [sources, self._declared, settings]
        return [sources, self._content(entry, sources), settings]

    def _content(self, entry: str, sources: str) -> str:
        """The digest of undeclared data, taken once for these sources and kept."""
        key = sha256_of_json(["content", sources])

        def hashed(*_: Path) -> dict[str, Any]:
            from edgekit.training.datasets import Split

            self.progress.note(f"hashing what '{entry}' gives: edgekit.toml declares no data_files")
            split = next(each for each in Data if self.project.data_entry(each) == entry)
            return {"kind": "data", "entry": entry, "digest": Split(self.project, split).content_digest()}

        found, _ = self.cache.entry(key, hashed)
        told = (
            f"{entry}: hashed {found.record['created']}, assumed unchanged since; declare data_files to have it watched"
        )
        if told not in self.assumed:
            self.assumed.append(told)
        return str(found.record["digest"])


class Driver:
    """Runs steps of a project; what was done before is taken from the cache."""

    def __init__(self, project: Project, progress: Progress) -> None:
        self.project = project
        self.progress = progress
        self.cache = Cache(project.cache_folder)
        self.data = _Data(project, self.cache, progress)

    def step_run(self, target: Target, planned: PlannedStep, runs: Sequence[StepRun], total: int) -> StepRun:
        """Run one of `total` steps, `runs` being those before it, or take its output from the cache."""
        started = time.perf_counter()
        number, name = planned.index + 1, planned.label
        self.progress.step_started(target.id, number, total, name)
        model = self._input(planned.role, planned.parent, runs)
        joined = {role: runs[index].artifact for role, index in planned.joined.items()}
        key = self._key(target, planned, model, joined)
        entry, cached = self.cache.entry(
            key,
            lambda output, checkpoints: self._work(output, checkpoints, target, planned, model, joined),
            lambda: self.progress.note(f"waiting for another build that runs {name}"),
        )
        artifact = Artifact(
            path=entry.folder / entry.record["file"],
            format=Format.ONNX if Format.ONNX in planned.facts else Format.TORCH,
            facts=planned.facts,
            digest=entry.record["files"][entry.record["file"]],
            role=planned.role,
            parents=(model.digest, *(each.digest for each in joined.values())),
            notes=entry.record["notes"],
        )
        metric = self.metric(artifact) if Trait.CONVERGED in planned.facts else None
        seconds = time.perf_counter() - started
        self.progress.step_finished(target.id, number, total, name, cached=cached, seconds=seconds)
        return StepRun(planned.step.name(), planned.role, cached, seconds, artifact, planned.step.options(), metric)

    def _work(
        self,
        output: Path,
        checkpoints: Path,
        target: Target,
        planned: PlannedStep,
        model: Artifact,
        joined: Mapping[Role, Artifact],
    ) -> dict[str, Any]:
        """Run a step into its workspace, check its declaration, and return its record."""
        role = planned.role if planned.role is not Role.REFERENCE else model.role
        view = TargetView(target, planned.step.contract.target)
        context = Context(self.project, view, role, output, checkpoints, self.progress)
        label = f"step {planned.index + 1} {planned.label}"
        try:
            with storage_errors(output):
                outcome = planned.step.run(model, joined, context)
        except EdgekitError:
            raise
        except Exception as error:
            raise StepError(
                f"{label} raised {type_and_line(error)}",
                "the steps before it are in the cache; run again with --debug to see the traceback",
            ) from error
        _check_declaration(label, planned.facts, outcome.path)
        return {"kind": "step", "step": planned.step.name(), "file": outcome.path.name, "notes": outcome.notes}

    def _input(self, role: Role, parent: int | None, runs: Sequence[StepRun]) -> Artifact:
        """The artifact that a step takes: another step's, or the role's entry point."""
        if parent is not None:
            return runs[parent].artifact
        entry = self.project.model_entry(role) or ""
        return Artifact(self.project.root / entry, Format.TORCH, ENTRY, self.project.entry_digest(entry), role)

    def _key(self, target: Target, planned: PlannedStep, model: Artifact, joined: Mapping[Role, Artifact]) -> str:
        """The digest of everything that decides a step's output."""
        contract, project = planned.step.contract, self.project
        from_torch = Format.TORCH in contract.requires
        return sha256_of_json(
            {
                "step": planned.step.name(),
                "options": planned.step.options(),
                "model": model.digest,
                "joined": {role: each.digest for role, each in joined.items()},
                "entries": [
                    project.entry_digest(project.model_entry(each.role) or "") for each in (model, *joined.values())
                ]
                if from_torch
                else [],
                "settings": {name: self._setting(name, model.role) for name in sorted(contract.settings)},
                "data": {split: self.data.digest(split) for split in sorted(contract.data)},
                "target": {name: target.model_dump(mode="json")[name] for name in sorted(contract.target)},
                "code": code_version(type(planned.step).__module__),
                "packages": {name: package_version(name) for name in contract.packages},
            }
        )

    def _setting(self, name: Setting, role: Role) -> Any:
        """A setting of the project as far as it decides a step's output."""
        project = self.project
        if name == "seed":
            return project.seed
        if name == "ports":
            return [project.model.inputs, project.model.outputs]
        if name == "loss":
            return project.entry_digest(project.loss) if project.loss else ""
        weights = project.weights_file(role)
        return sha256_of_file(weights) if weights else ""

    def metric(self, artifact: Artifact) -> float:
        """The project's metric of a module or a file, on this machine."""
        return float(self._evaluation(artifact).record["value"])

    def scores(self, artifact: Artifact) -> "Array | None":
        """Each evaluation sample's share in the metric, shape (samples,); None where the metric is no mean of them."""
        import numpy as np

        path = self._evaluation(artifact).folder / _SCORES
        scores: Array | None = np.load(path) if path.is_file() else None
        return scores

    def _evaluation(self, artifact: Artifact) -> Entry:
        project = self.project
        key = sha256_of_json(
            {
                "metric": [project.metric, project.entry_digest(project.metric) if ":" in project.metric else ""],
                "model": artifact.digest,
                "entry": project.entry_digest(project.model_entry(artifact.role) or "")
                if artifact.format is Format.TORCH
                else "",
                "data": self.data.digest(Data.EVALUATION),
                "code": [code_version("edgekit.training.evaluation"), code_version("edgekit.metric")],
                "packages": {name: package_version(name) for name in ("torch", "onnxruntime")},
            }
        )

        def evaluated(output: Path, _: Path) -> dict[str, Any]:
            import numpy as np

            from edgekit.metric import item_scores, metric_value
            from edgekit.training.evaluation import file_outputs, module_outputs
            from edgekit.training.modules import saved_module

            if artifact.format is Format.TORCH:
                outputs, targets = module_outputs(saved_module(project, artifact), project)
            else:
                outputs, targets = file_outputs(artifact.path, project)
            value = metric_value(project, outputs, targets)
            scores = item_scores(project, outputs, targets)
            if scores is not None:
                np.save(output / _SCORES, scores.astype(np.float32))
            return {"kind": "metric", "value": value}

        return self.cache.entry(key, evaluated)[0]


def _check_declaration(label: str, declared: Facts, path: Path) -> None:
    """Hold what can be seen in a step's file against what its contract says. Raises StepError."""
    if Format.ONNX not in declared:
        return
    from edgekit.graph import load_model, observed_facts

    missing = (declared & _OBSERVABLE) - observed_facts(load_model(path))
    if missing:
        raise StepError(
            f"{label} declares that its output is {', '.join(sorted(missing))}, and it is not",
            "this is a fault of the step: look at its output with edgekit inspect, and report it",
        )


def package_version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
