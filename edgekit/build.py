"""The only driver: walk the plan step by step through the cache, verify, bundle."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from edgekit.artifact import Artifact
from edgekit.bundle.manifest import Lineage
from edgekit.cache import Cache, Entry
from edgekit.errors import EdgekitError, EmulatorError, StepError, TargetError, storage_errors
from edgekit.files import sha256_of_file, sha256_of_json
from edgekit.gates import Status
from edgekit.plan import ENTRY, Plan, PlannedStep, plan_of
from edgekit.progress import Progress
from edgekit.project import Project
from edgekit.recipe import recipe_of
from edgekit.runners.choice import runner_for
from edgekit.runners.runner import Runner
from edgekit.sources import code_version
from edgekit.step import Context, Setting, TargetView
from edgekit.target import Target, find_target
from edgekit.traits import Data, Facts, Format, Role, Trait
from edgekit.verify import Candidate, Candidates, Verdict, verdict_from_json, verified

_OBSERVABLE = frozenset({Format.ONNX, Trait.FLOAT, Trait.INTEGER, Trait.PORTABLE, Trait.FOLDED, Trait.SHAPED})


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


@dataclass(frozen=True)
class TargetBuild:
    target: Target
    recipe: str
    bundle: Path
    model_bytes: int
    float_bytes: int
    reference_bytes: int
    value: float
    """The deployed model's metric on this machine, as are the next two."""
    float_value: float
    reference_value: float
    verdict: Verdict
    steps: tuple[StepRun, ...]


@dataclass(frozen=True)
class Build:
    project: Project
    targets: tuple[TargetBuild, ...]
    assumed: tuple[str, ...]
    """Data that the project does not declare: hashed once, and not looked at since."""

    def passes(self, *, strict: bool) -> bool:
        """Whether no gate failed; `strict` asks that each could run, too."""
        wrong = {Status.FAILED, Status.NOT_RUN} if strict else {Status.FAILED}
        return not any(gate.status in wrong for each in self.targets for gate in each.verdict.gates)


def chosen_targets(project: Project, names: Sequence[str]) -> list[Target]:
    """The targets named, else the project's own choice, each once. Raises TargetError."""
    wanted = dict.fromkeys(names or project.targets)
    if not wanted:
        raise TargetError("no target is named", 'edgekit build --target ID, or targets = ["ID"] in edgekit.toml')
    return [find_target(name, (project.targets_folder,)) for name in wanted]


def build(project: Project, targets: Sequence[Target], progress: Progress) -> Build:
    """Build a project for each target. What was done before, here or for another target, is taken from the cache.

    Raises PlanError before any work when the recipe's order is impossible, and the error of the step that fails.
    """
    recipe = recipe_of(project)
    plans = [plan_of(recipe, target, project) for target in targets]
    driver = _Driver(project, progress)
    built = tuple(driver.target_build(plan) for plan in plans)
    return Build(project, built, tuple(driver.data.assumed))


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


class _Driver:
    def __init__(self, project: Project, progress: Progress) -> None:
        self.project = project
        self.progress = progress
        self.cache = Cache(project.cache_folder)
        self.data = _Data(project, self.cache, progress)

    def target_build(self, plan: Plan) -> TargetBuild:
        from edgekit.bundle.pack import packed

        runs: list[StepRun] = []
        for planned in plan.steps:
            runs.append(self._step_run(plan, planned, runs))
        deployed, reference = runs[plan.deployed], runs[plan.reference]
        float_student = runs[plan.float_student]
        candidates = Candidates(
            *(
                Candidate(name, run.artifact.path, self._metric(run.artifact))
                for name, run in (("deployed", deployed), ("float student", float_student), ("reference", reference))
            )
        )
        entry, verdict = self._verdict(plan, candidates)
        bundle = packed(
            self.project,
            plan.target,
            plan.recipe,
            deployed.artifact.path,
            entry.folder / "golden.npz",
            [_lineage(run) for run in runs],
            verdict,
            candidates.deployed.metric,
            candidates.reference.metric,
            self.data.assumed,
        )
        sizes = [run.artifact.path.stat().st_size for run in (deployed, float_student, reference)]
        return TargetBuild(
            target=plan.target,
            recipe=plan.recipe,
            bundle=bundle,
            model_bytes=sizes[0],
            float_bytes=sizes[1],
            reference_bytes=sizes[2],
            value=candidates.deployed.metric,
            float_value=candidates.float_student.metric,
            reference_value=candidates.reference.metric,
            verdict=verdict,
            steps=tuple(runs),
        )

    def _step_run(self, plan: Plan, planned: PlannedStep, runs: Sequence[StepRun]) -> StepRun:
        started = time.perf_counter()
        number, total, name = planned.index + 1, len(plan.steps), planned.label
        self.progress.step_started(plan.target.id, number, total, name)
        model = self._input(planned.role, planned.parent, runs)
        joined = {role: runs[index].artifact for role, index in planned.joined.items()}
        key = self._key(plan.target, planned, model, joined)
        entry, cached = self.cache.entry(
            key,
            lambda output, checkpoints: self._work(output, checkpoints, plan.target, planned, model, joined),
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
        metric = self._metric(artifact) if Trait.CONVERGED in planned.facts else None
        seconds = time.perf_counter() - started
        self.progress.step_finished(plan.target.id, number, total, name, cached=cached, seconds=seconds)
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
            told = str(error).strip().splitlines()
            raise StepError(
                f"{label} raised {type(error).__name__}: {told[0] if told else 'no message'}",
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
                "packages": {name: _version(name) for name in contract.packages},
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

    def _metric(self, artifact: Artifact) -> float:
        """The project's metric of a module or a file, on this machine."""
        project = self.project
        key = sha256_of_json(
            {
                "metric": [project.metric, project.entry_digest(project.metric) if ":" in project.metric else ""],
                "model": artifact.digest,
                "entry": project.entry_digest(project.model_entry(artifact.role) or "")
                if artifact.format is Format.TORCH
                else "",
                "data": self.data.digest(Data.EVALUATION),
                "code": code_version("edgekit.training.evaluation"),
                "packages": {name: _version(name) for name in ("torch", "onnxruntime")},
            }
        )

        def evaluated(*_: Path) -> dict[str, Any]:
            from edgekit.training.evaluation import file_metric, module_metric
            from edgekit.training.modules import saved_module

            if artifact.format is Format.TORCH:
                return {"kind": "metric", "value": module_metric(saved_module(project, artifact), project)}
            return {"kind": "metric", "value": file_metric(artifact.path, project)}

        entry, _ = self.cache.entry(key, evaluated)
        return float(entry.record["value"])

    def _verdict(self, plan: Plan, candidates: Candidates) -> tuple[Entry, Verdict]:
        """The gates' verdict on a target; kept until the models, the data, the budgets or the emulator change."""
        runner: Runner | EmulatorError
        try:
            runner = runner_for(plan.target)
            identity = runner.identity()
        except EmulatorError as error:
            runner, identity = error, f"none: {error.message}"
        models = (candidates.deployed, candidates.float_student, candidates.reference)
        key = sha256_of_json(
            {
                "verdict": [sha256_of_file(each.path) for each in models],
                "target": plan.target.model_dump(mode="json"),
                "budgets": self.project.budgets.model_dump(),
                "metric": [self.project.metric, *(each.metric for each in models)],
                "data": self.data.digest(Data.EVALUATION),
                "runner": identity,
                "code": code_version("edgekit.verify"),
                "packages": {"onnxruntime": _version("onnxruntime")},
            }
        )

        def judged(output: Path, _: Path) -> dict[str, Any]:
            self.progress.note(f"verifying on {identity}")
            verdict = verified(self.project, plan.target, candidates, runner, output / "golden.npz")
            return {"kind": "verdict", **verdict.to_json()}

        entry, _ = self.cache.entry(key, judged, lambda: self.progress.note("waiting for another build that verifies"))
        return entry, verdict_from_json(entry.record)


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


def _lineage(run: StepRun) -> Lineage:
    artifact = run.artifact
    return Lineage(run.name, run.role, run.options, artifact.digest, artifact.parents, artifact.notes, run.metric)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
