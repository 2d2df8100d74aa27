"""Builder: run the plan's steps for each target, verify the result, and bundle it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.builds.evidence import EvaluatedModel, EvaluatedModels, evidence_from_json, gather_evidence
from edgekit.builds.result import RejectedRecipe, TargetBuild
from edgekit.builds.runtime_choice import RuntimeTrial, rank_by_prediction, rank_by_rule, rank_by_time
from edgekit.builds.variants import RuntimeVariant
from edgekit.builds.verify import metric_gates, verify
from edgekit.bundle.manifest import Lineage, Origin
from edgekit.cache import Entry
from edgekit.contract.artifact import Artifact
from edgekit.data.splits import Splits
from edgekit.errors import EdgekitError, EmulatorError, ModelError, StepError
from edgekit.execution.driver import Driver, StepRun
from edgekit.execution.keys import package_version
from edgekit.figures.measurement import PREDICTED, Measurement, highest_fidelity
from edgekit.files import sha256_of_file, sha256_of_json
from edgekit.gates.gates import Gate, Status
from edgekit.gates.speed import NEVER_SLOWER
from edgekit.gates.verdict import Verdict
from edgekit.latency.board_fit import price_files
from edgekit.planning.lint import Finding
from edgekit.planning.plan import Plan
from edgekit.progress import Progress
from edgekit.project.project import Project
from edgekit.project.sources import code_version
from edgekit.runners.choice import runner_for
from edgekit.runners.runner import Runner
from edgekit.runtime_specs import RUNTIMES
from edgekit.target import Runtime, Target
from edgekit.traits import Data, Role

_UNMEASURED = ("name", "budgets", "ram_bytes", "system_bytes", "other_runtimes", "channel_multiple", "quantization")
"""The fields of a target on which the evidence for a verdict does not depend."""


@dataclass(frozen=True)
class RecipeTrial:
    """A recipe's plan for a target, with its findings."""

    plan: Plan
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class _RecipeRun:
    """The results of a plan's steps."""

    runs: tuple[StepRun, ...]
    candidates: EvaluatedModels


@dataclass(frozen=True)
class _DeployedChoice:
    """What is deployed under one runtime."""

    variant: RuntimeVariant
    tried: RecipeTrial
    made: _RecipeRun
    rejected_recipes: tuple[RejectedRecipe, ...]


_GOLDEN = "golden.npz"
_OF_THE_METRIC = ("drop", "metric")
"""The gates of the metric."""


class Builder:
    def __init__(self, project: Project, splits: Splits, progress: Progress, *, again: bool = False) -> None:
        """With `again`, whatever was timed on this machine or a board is timed again."""
        self.project = project
        self.progress = progress
        self.again = again
        self.driver = Driver(project, progress, splits, again=again)
        self._known: dict[str, Entry] = {}

    def target_build(
        self, variants: Sequence[tuple[RuntimeVariant, Sequence[RecipeTrial]]], left: Sequence[RuntimeTrial]
    ) -> TargetBuild:
        """Build for one runtime. Of several, deploy the fastest that keeps the budgets, or the target's own if none
        does."""
        own, *others = variants
        first = self._choice(*own)
        if not others and not left:
            return self._pack(first, ())
        kept, left = {first.variant.target.runtime: first}, list(left)
        for variant, tries in others:
            runtime = variant.target.runtime
            self.progress.note(f"{variant.target.id} under {runtime}")
            try:
                choice = self._choice(variant, tries)
                failed = self._failures(choice)
            except EdgekitError as error:
                left.append(RuntimeTrial(runtime, False, f"{error.message}; {error.hint}"))
                continue
            if failed:
                left.append(RuntimeTrial(runtime, False, failed))
            else:
                kept[runtime] = choice
        if len(kept) > 1 and (failed := self._failures(first)):
            del kept[first.variant.target.runtime]
            left.append(RuntimeTrial(first.variant.target.runtime, False, failed))
        ranked = self._rank(kept)
        return self._pack(kept[ranked[0].runtime], (*ranked, *left))

    def _rank(self, kept: Mapping[Runtime, _DeployedChoice]) -> list[RuntimeTrial]:
        """The remaining runtimes, the one to choose first. Without times, a runtime that needed a fallback recipe is
        never chosen."""
        runner = self._runner(next(iter(kept.values())).variant)
        if not isinstance(runner, EdgekitError) and runner.fidelity.has_times:
            return rank_by_time({each: choice.made.candidates.deployed.path for each, choice in kept.items()}, runner)
        fewest = min(len(choice.rejected_recipes) for choice in kept.values())
        whole = [each for each, choice in kept.items() if len(choice.rejected_recipes) == fewest]
        others = [each for each in kept if each not in whole]
        predicted = {each: result for each in whole if (result := self._predict_latency(kept[each]))}
        ranked = rank_by_prediction(predicted) if len(predicted) == len(whole) else rank_by_rule(whole)
        return [*ranked, *(RuntimeTrial(each, False, "only by a recipe's fallback") for each in others)]

    def _predict_latency(self, choice: _DeployedChoice) -> Measurement | None:
        """The predicted latency of the model that would be deployed, if there is one."""
        verdict = self._verdict(choice.variant, choice.made.candidates)
        return next((each for each in verdict.measurements if each.name == PREDICTED), None)

    def _failures(self, choice: _DeployedChoice) -> str:
        """A description of the failed gates; empty if none failed."""
        verdict = self._verdict(choice.variant, choice.made.candidates)
        return "; ".join(f"{gate.name}: {gate.detail}" for gate in verdict.gates if gate.status is Status.FAILED)

    def _choice(self, variant: RuntimeVariant, tries: Sequence[RecipeTrial]) -> _DeployedChoice:
        """Use the first recipe that neither fails, nor loses more than allowed, nor is slower than float; else the last
        one. Raises the error of a step that the next recipe would run as well."""
        rejected_recipes: list[RejectedRecipe] = []
        for tried, following in zip(tries, [*tries[1:], None], strict=True):
            done: dict[int, StepRun] = {}
            try:
                made = self._run_recipe(tried.plan, variant.target, done)
                if following is None:
                    break
                failed = self._refusals(variant, made.candidates)
                if not failed:
                    break
                warnings = [run.warning for run in made.runs if run.warning]
                why = "; ".join([*(f"{gate.name}: {gate.detail}" for gate in failed), *warnings])
                rejected = RejectedRecipe(tried.plan.recipe, why, failed[0].name)
            except (StepError, ModelError) as error:
                if following is None or _share_steps(tried.plan, following.plan, len(done) + 1):
                    raise
                rejected = RejectedRecipe(tried.plan.recipe, error.message)
            rejected_recipes.append(rejected)
            self.progress.note(f"recipe {following.plan.recipe} instead of {rejected.recipe}: {rejected.why}")
        return _DeployedChoice(variant, tried, made, tuple(rejected_recipes))

    def _refusals(self, variant: RuntimeVariant, candidates: EvaluatedModels) -> list[Gate]:
        """The failed gates that another recipe might pass: those of the metric, else that of the time. Recipes that
        replace each other differ in the quantization of one float model: what it loses itself, none of them mends."""
        if candidates.deployed.path == candidates.float_student.path:
            return []
        target, float_only = variant.target, replace(candidates, deployed=candidates.float_student)
        lost_before = _failed(metric_gates(self.project, target, float_only))
        lost = [] if lost_before else _failed(metric_gates(self.project, target, candidates))
        if lost:
            return lost
        names = {NEVER_SLOWER, *(() if lost_before else _OF_THE_METRIC)}
        return [gate for gate in _failed(self._verdict(variant, candidates).gates) if gate.name in names]

    def _run_recipe(self, plan: Plan, target: Target, done: dict[int, StepRun]) -> _RecipeRun:
        """Run the steps. `done` collects finished steps by index, even if a later one fails."""
        for planned in plan.order():
            done[planned.index] = self.driver.step_run(target, planned, done, len(plan.steps))
        runs = tuple(done[each.index] for each in plan.steps)
        artifacts = [
            self.driver.entry(Role.STUDENT) if index is None else runs[index].artifact
            for index in (plan.deployed, plan.float_student, plan.reference)
        ]
        names = ("deployed", "float student", "reference")
        deployed, float_student, reference = (
            self._candidate(*each, target) for each in zip(names, artifacts, strict=True)
        )
        return _RecipeRun(runs, EvaluatedModels(deployed, float_student, reference, _stages(plan, runs)))

    def _pack(self, choice: _DeployedChoice, runtimes: tuple[RuntimeTrial, ...]) -> TargetBuild:
        from edgekit.bundle.pack import write_bundle

        target, tried, made = choice.variant.target, choice.tried, choice.made
        candidates = made.candidates
        evidence = self._evidence(choice.variant, candidates)
        verdict = verify(self.project, target, candidates, evidence_from_json(evidence.record))
        metric = highest_fidelity([one for one in verdict.measurements if one.model == "deployed"], "metric")
        origin = Origin(
            recipe=tried.plan.recipe,
            rejected_recipes=[asdict(each) for each in choice.rejected_recipes],
            runtimes=[each.to_json() for each in runtimes],
            lineage=[_lineage(run) for run in made.runs],
            findings=[each.to_json() for each in tried.findings],
            preprocessing=self._preprocessing(),
            assumed=self.driver.data.assumed,
            verdict=verdict,
            metric=metric,
            reference_value=candidates.reference.metric,
        )
        bundle = write_bundle(self.project, target, candidates.deployed.path, evidence.folder / _GOLDEN, origin)
        models = (candidates.deployed, candidates.float_student, candidates.reference)
        sizes = [each.path.stat().st_size for each in models]
        return TargetBuild(
            target=target,
            recipe=tried.plan.recipe,
            rejected_recipes=choice.rejected_recipes,
            bundle=bundle,
            model_bytes=sizes[0],
            float_bytes=sizes[1],
            reference_bytes=sizes[2],
            value=metric.value,
            fidelity=metric.fidelity,
            float_value=candidates.float_student.metric,
            reference_value=candidates.reference.metric,
            verdict=verdict,
            steps=made.runs,
            findings=tried.findings,
            runtimes=runtimes,
        )

    def _preprocessing(self) -> dict[str, Any]:
        """The preprocessing of a raw sample: as the samples were read, else as the project declares it."""
        if self.project.model_file is None:
            return self.project.preprocessing
        return self.driver.splits[Data.EVALUATION].preprocessing

    def _candidate(self, name: str, artifact: Artifact, target: Target) -> EvaluatedModel:
        driver = self.driver
        metric, chance = driver.metric(artifact, target), driver.chance(artifact, target)
        similarity, data = driver.similarity(artifact, target), driver.about(artifact, target)
        return EvaluatedModel(name, artifact.path, metric, chance, similarity, data)

    def _runner(self, variant: RuntimeVariant) -> Runner | EmulatorError:
        try:
            return variant.runner or runner_for(variant.target)
        except EmulatorError as error:
            return error

    def _verdict(self, variant: RuntimeVariant, candidates: EvaluatedModels) -> Verdict:
        """The verdict on a target: its gates are evaluated anew, on evidence that is kept."""
        evidence = evidence_from_json(self._evidence(variant, candidates).record)
        return verify(self.project, variant.target, candidates, evidence)

    def _evidence(self, variant: RuntimeVariant, candidates: EvaluatedModels) -> Entry:
        """The evidence for a verdict, cached until the models, the data or the emulator change, unless the machine was
        disturbed during timing."""
        target, runner = variant.target, self._runner(variant)
        identity = f"none: {runner.message}" if isinstance(runner, EmulatorError) else runner.identity()
        models = (candidates.deployed, candidates.float_student, candidates.reference)
        key = sha256_of_json(
            {
                "evidence": [sha256_of_file(each.path) for each in models],
                "target": {name: value for name, value in target.to_json().items() if name not in _UNMEASURED},
                "metric": [
                    self.project.metric,
                    *((each.metric, each.chance, dict(each.similarity)) for each in models),
                ],
                "data": self.driver.data.digest(Data.EVALUATION),
                "runner": identity,
                "code": code_version("edgekit.builds.evidence"),
                "prices": [sha256_of_file(path) for path in price_files(target)],
                "packages": {name: package_version(name) for name in RUNTIMES},
            }
        )
        if key in self._known:
            return self._known[key]
        timed = not isinstance(runner, EmulatorError) and runner.fidelity.has_times

        def measure(output: Path, _: Path) -> dict[str, Any]:
            self.progress.note(f"verifying on {identity}")
            split = self.driver.splits[Data.EVALUATION]
            found = gather_evidence(self.project, split, target, candidates, runner, output / _GOLDEN)
            return {"kind": "evidence", "ram_bytes": target.ram_bytes, **found.to_json()}

        def usable(record: Mapping[str, Any]) -> bool:
            failed = bool(record["missing"]) and record["ram_bytes"] != target.ram_bytes
            return not (failed or record["disturbed"] or (self.again and timed))

        waiting = "waiting for another build's verification to end"
        entry, _ = self.driver.cache.entry(key, measure, lambda: self.progress.note(waiting), usable)
        self._known[key] = entry
        return entry


def _failed(gates: Sequence[Gate]) -> list[Gate]:
    return [gate for gate in gates if gate.status is Status.FAILED]


def _stages(plan: Plan, runs: Sequence[StepRun]) -> tuple[tuple[str, float], ...]:
    """The evaluated steps on the way to the deployed model, with the metric after each."""
    line = [index for index in plan.line(plan.deployed) if plan.steps[index].role is Role.STUDENT]
    stages = [(f"step {index + 1} {plan.steps[index].label}", runs[index].metric) for index in line]
    return tuple((name, metric) for name, metric in stages if metric is not None)


def _share_steps(plan: Plan, other: Plan, count: int) -> bool:
    """Whether both plans begin with the same `count` steps."""
    return [each.step for each in plan.order()[:count]] == [each.step for each in other.order()[:count]]


def _lineage(run: StepRun) -> Lineage:
    artifact = run.artifact
    return Lineage(
        run.name, run.role, run.options, artifact.digest, artifact.parents, artifact.notes, run.metric, run.warning
    )
