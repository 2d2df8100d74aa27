"""A build: the plan's steps run, the result verified on the target, and packed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from edgekit.artifact import Artifact
from edgekit.bundle.manifest import Lineage, Origin
from edgekit.data.splits import Splits
from edgekit.errors import (
    EdgekitError,
    EmulatorError,
    ModelError,
    PlanError,
    StepError,
    TargetError,
    did_you_mean,
)
from edgekit.execution.cache import Entry
from edgekit.execution.driver import Driver, StepRun
from edgekit.execution.keys import package_version
from edgekit.execution.surveys import known_surveys, surveyed
from edgekit.files import sha256_of_file, sha256_of_json
from edgekit.host import this_host
from edgekit.metrics.choice import judged_project
from edgekit.planning.interactions import Interactions, Severity
from edgekit.planning.lint import FAULT_CODES, Finding, Judgement, interactions_of, linted, surroundings_of
from edgekit.planning.plan import Plan, plan_of
from edgekit.planning.recipe import Recipe, on_runtime, recipes_of, with_placement
from edgekit.progress import Progress
from edgekit.project.project import Project
from edgekit.project.sources import code_version
from edgekit.runners.choice import runner_for
from edgekit.runners.runner import Runner
from edgekit.runtimes.choice import ALL, target_runtimes
from edgekit.runtimes.opening import named_runtime
from edgekit.target import Runtime, RuntimeName, Target, find_target
from edgekit.tflite.schema import schema
from edgekit.traits import Data, Format, Role
from edgekit.verdict.fastest import RuntimeTried, by_rule, fastest_first
from edgekit.verdict.gates import Gate, Status
from edgekit.verdict.speed import NEVER_SLOWER
from edgekit.verdict.verify import Candidate, Candidates, Verdict, metric_gates, verdict_from_json, verified

BEST = "best"
"""The runtime to build for that is the fastest."""


@dataclass(frozen=True)
class PassedOver:
    """A recipe that a build tried and left, for the one that stands in for it."""

    recipe: str
    why: str
    gate: str = ""
    """The first gate that failed; empty where a step did."""


@dataclass(frozen=True)
class TargetBuild:
    target: Target
    recipe: str
    passed_over: tuple[PassedOver, ...]
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
    findings: tuple[Finding, ...]
    """Warnings, and errors that were allowed."""
    runtimes: tuple[RuntimeTried, ...] = ()
    """Where the fastest was asked for: the one that is deployed first."""

    @property
    def shuns_slow_integers(self) -> bool:
        """Whether floats are deployed since integers took longer."""
        slow = any(each.gate == NEVER_SLOWER for each in self.passed_over)
        return slow and all(gate.name != NEVER_SLOWER for gate in self.verdict.gates)


@dataclass(frozen=True)
class DataUse:
    """How the samples for a model file were used."""

    calibration: str
    """Where they came from."""
    calibration_samples: int | None
    evaluation: str
    evaluation_samples: int | None
    held_out: bool
    """Whether those for evaluation were taken out of those for calibration."""
    labelled: bool
    preprocessing: dict[str, Any]

    @staticmethod
    def of(project: Project, splits: Splits) -> "DataUse":
        calibration, evaluation = splits[Data.CALIBRATION], splits[Data.EVALUATION]
        most, length = project.data.calibration_samples, calibration.length
        return DataUse(
            calibration.entry,
            length if length is None else min(most, length),
            evaluation.entry,
            evaluation.length,
            project.holds_out,
            evaluation.labelled,
            evaluation.preprocessing,
        )


@dataclass(frozen=True)
class Build:
    project: Project
    targets: tuple[TargetBuild, ...]
    assumed: tuple[str, ...]
    """Data that the project does not declare: hashed once, and not looked at since."""
    data: DataUse | None = None
    """None where modules were trained."""

    def passes(self, *, strict: bool) -> bool:
        """Whether no gate failed. `strict` asks, too, that each could run, never-slower excepted, and that no float
        model stands in for slower integers."""
        gates = [gate for each in self.targets for gate in each.verdict.gates]
        if any(gate.status is Status.FAILED for gate in gates):
            return False
        unknown = any(gate.status is Status.NOT_RUN and gate.name != NEVER_SLOWER for gate in gates)
        return not (strict and (unknown or any(each.shuns_slow_integers for each in self.targets)))


def chosen_targets(project: Project, names: Sequence[str]) -> list[Target]:
    """The targets named, else the project's own choice, each once. Raises TargetError."""
    wanted = dict.fromkeys(names or project.targets)
    if not wanted:
        raise TargetError("no target is named", 'edgekit build --target ID, or targets = ["ID"] in edgekit.toml')
    return [find_target(name, (project.targets_folder,)) for name in wanted]


def build(
    project: Project,
    targets: Sequence[Target],
    progress: Progress,
    allowed: Collection[str] = (),
    placement: Path | None = None,
    runner: str = "",
    runtime: str = "",
) -> Build:
    """Build a project for each target. What was done before, here or for another target, is taken from the cache. The
    operators that an earlier build for the one target put on floats, as its manifest at `placement` tells, are put
    there without being timed again. `runner` is where each is verified, as `runner_for` takes it. `runtime` is what the
    device is to carry, of those that its target names; its own where none is told. `best` builds for each and keeps
    the fastest that keeps the budgets.

    Raises PlanError before any work when the recipe's order is impossible, or when it is unwise (a finding of severity
    error) and the finding's code is not `allowed`; TargetError for a runtime that a target does not name; StepError or
    ToolError where what writes TFLite, or the runtime, is needed here and missing; StorageError where the bundle of
    another model file would be replaced; where a runner is named, EmulatorError or BoardError where it cannot be used;
    and the error of the step that fails.
    """
    from edgekit.bundle.pack import check_place

    if placement is not None:
        project = _replayed(project, targets, placement)
    recipes = recipes_of(project)
    asked = [_asked(project, target, recipes, runtime, runner, progress) for target in targets]
    interactions = interactions_of(project)
    _check_codes(allowed, interactions)
    for target in targets:
        check_place(project, target)
    splits = Splits(project)
    project = judged_project(project, splits)
    builder = _Builder(project, splits, progress)
    roles = sorted({each.role for recipe in recipes for each in recipe.steps})
    surveys = {**known_surveys(project), **{role: surveyed(project, builder.driver.splits, role) for role in roles}}

    def tries(variant: _Variant) -> list[_Try]:
        surroundings = surroundings_of(project, variant.target, surveys)
        pairs = zip(variant.recipes, variant.plans, strict=True)
        return [_Try(plan, _accepted(linted(recipe, surroundings, interactions), allowed)) for recipe, plan in pairs]

    judged = [([(variant, tries(variant)) for variant in each.variants], each.left) for each in asked]
    built = tuple(builder.target_build(*each) for each in judged)
    used = DataUse.of(project, splits) if project.model_file is not None else None
    return Build(project, built, tuple(builder.driver.data.assumed), used)


def _replayed(project: Project, targets: Sequence[Target], placement: Path) -> Project:
    from edgekit.bundle.manifest import placement_of

    target, floats = placement_of(placement)
    if [each.id for each in targets] != [target]:
        raise PlanError(f"{placement} is of a build for {target} alone", f"build for that: --target {target}")
    return with_placement(project, floats)


def _check_codes(allowed: Collection[str], interactions: Interactions) -> None:
    known = {row.code for row in interactions}
    for code in allowed:
        if code in FAULT_CODES.values():
            raise PlanError(
                f"{code} cannot be allowed: what it finds is impossible, not unwise", "change the order of the steps"
            )
        if code not in known:
            raise PlanError(f"no finding has the code '{code}'", did_you_mean(code, sorted(known)))


def _accepted(judgement: Judgement, allowed: Collection[str]) -> tuple[Finding, ...]:
    """The findings that a build goes on with: warnings, and errors that are allowed. Raises PlanError for others."""
    refused = [each for each in judgement.errors if each.code not in allowed]
    if refused:
        more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
        raise PlanError(
            f"{refused[0].code}: {refused[0].message}{more}",
            f"{refused[0].fix}, as edgekit plan shows; or build all the same: "
            f"--allow {' --allow '.join(sorted({each.code for each in refused}))}",
        )
    return tuple(each for each in judgement.findings if each.severity is not Severity.INFO)


@dataclass(frozen=True)
class _Variant:
    """A target with one of its runtimes."""

    target: Target
    recipes: tuple[Recipe, ...]
    """As they run for it, each the next one's stand-in."""
    plans: tuple[Plan, ...]
    runner: Runner | None
    """Where it is verified, if that is told."""


@dataclass(frozen=True)
class _Asked:
    """What is to be built for a target: for one runtime, or for several of which one is kept."""

    variants: tuple[_Variant, ...]
    left: tuple[RuntimeTried, ...] = ()
    """Runtimes that cannot be tried here."""


def _asked(
    project: Project, target: Target, recipes: Sequence[Recipe], runtime: str, runner: str, progress: Progress
) -> _Asked:
    """The variants of a target, its own runtime's first. Raises TargetError for a runtime that it does not name, and
    what keeps the one runtime, or the target's own, from being built for."""

    def variant(chosen: Runtime) -> _Variant:
        on = target.on(chosen)
        adapted = tuple(on_runtime(each, on) for each in recipes)
        plans = tuple(plan_of(each, project.roles, project.entry_facts) for each in adapted)
        if any(Format.TFLITE in each.facts for plan in plans for each in plan.steps):
            schema()  # without it the last step would fail, after all the training
        if chosen.name == "openvino" or on.is_this(this_host()):
            named_runtime(chosen.name)
        return _Variant(on, adapted, plans, runner_for(on, runner, progress) if runner else None)

    if runtime != BEST:
        if runtime == ALL:
            raise TargetError("a build is for one runtime", f"name it, or let the fastest be found: --runtime {BEST}")
        (only,) = target_runtimes([runtime] if runtime else [], target)
        return _Asked((variant(only),))
    found, left = [variant(target.runtime)], []
    for other in target.other_runtimes:
        try:
            made = variant(other)
            if made.runner is None:
                runner_for(made.target)
            found.append(made)
        except EdgekitError as error:
            set_up = error.hint == f"edgekit setup {target.id}"
            hint = f"edgekit setup {target.id} --runtimes {other.name}" if set_up else error.hint
            left.append(RuntimeTried(other, False, f"{error.message}; {hint}"))
    return _Asked(tuple(found), tuple(left))


@dataclass(frozen=True)
class _Try:
    """A recipe's plan for a target, and what its lint found."""

    plan: Plan
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class _Made:
    """What a plan's steps left."""

    runs: tuple[StepRun, ...]
    candidates: Candidates


@dataclass(frozen=True)
class _Choice:
    """What is deployed under one runtime."""

    variant: _Variant
    tried: _Try
    made: _Made
    passed_over: tuple[PassedOver, ...]


class _Builder:
    def __init__(self, project: Project, splits: Splits, progress: Progress) -> None:
        self.project = project
        self.progress = progress
        self.driver = Driver(project, progress, splits)

    def target_build(
        self, variants: Sequence[tuple[_Variant, Sequence[_Try]]], left: Sequence[RuntimeTried]
    ) -> TargetBuild:
        """For one runtime; of several, for the fastest that keeps the budgets, or the target's own where none does."""
        own, *others = variants
        first = self._choice(*own)
        if not others and not left:
            return self._packed(first, ())
        kept, left = {first.variant.target.runtime: first}, list(left)
        for variant, tries in others:
            runtime = variant.target.runtime
            self.progress.note(f"{variant.target.id} under {runtime}")
            try:
                choice = self._choice(variant, tries)
                failed = self._failures(choice)
            except EdgekitError as error:
                left.append(RuntimeTried(runtime, False, f"{error.message}; {error.hint}"))
                continue
            if failed:
                left.append(RuntimeTried(runtime, False, failed))
            else:
                kept[runtime] = choice
        if len(kept) > 1 and (failed := self._failures(first)):
            del kept[first.variant.target.runtime]
            left.append(RuntimeTried(first.variant.target.runtime, False, failed))
        ranked = self._ranked(kept)
        return self._packed(kept[ranked[0].runtime], (*ranked, *left))

    def _ranked(self, kept: Mapping[Runtime, _Choice]) -> list[RuntimeTried]:
        """The runtimes that are left, the one to take first. Without times a recipe's stand-in never wins."""
        runner = self._runner(next(iter(kept.values())).variant)
        if not isinstance(runner, EdgekitError) and runner.fidelity.has_times:
            return fastest_first({each: choice.made.candidates.deployed.path for each, choice in kept.items()}, runner)
        fewest = min(len(choice.passed_over) for choice in kept.values())
        whole = [each for each, choice in kept.items() if len(choice.passed_over) == fewest]
        others = [each for each in kept if each not in whole]
        return [*by_rule(whole), *(RuntimeTried(each, False, "only by a recipe's stand-in") for each in others)]

    def _failures(self, choice: _Choice) -> str:
        """The failed gates in words; empty where all hold, or could not be run."""
        _, verdict = self._verdict(choice.variant, choice.made.candidates)
        return "; ".join(f"{gate.name}: {gate.detail}" for gate in verdict.gates if gate.status is Status.FAILED)

    def _choice(self, variant: _Variant, tries: Sequence[_Try]) -> _Choice:
        """By the first of the recipes that neither fails, nor loses more than is allowed, nor is slower than floats,
        else by the last. What fails in a step that the next one takes, too, is raised."""
        passed_over: list[PassedOver] = []
        for tried, following in zip(tries, [*tries[1:], None], strict=True):
            done: dict[int, StepRun] = {}
            try:
                made = self._made(tried.plan, variant.target, done)
                if following is None:
                    break
                failed = self._refusals(variant, made.candidates)
                if not failed:
                    break
                why = "; ".join(f"{gate.name}: {gate.detail}" for gate in failed)
                over = PassedOver(tried.plan.recipe, why, failed[0].name)
            except (StepError, ModelError) as error:
                if following is None or _share(tried.plan, following.plan, len(done) + 1):
                    raise
                over = PassedOver(tried.plan.recipe, error.message)
            passed_over.append(over)
            self.progress.note(f"recipe {following.plan.recipe} in the place of {over.recipe}: {over.why}")
        return _Choice(variant, tried, made, tuple(passed_over))

    def _refusals(self, variant: _Variant, candidates: Candidates) -> list[Gate]:
        """The failed gates that another recipe might pass: those of the metric, else that of the time."""
        gates = metric_gates(self.project, variant.target, candidates)
        lost = [gate for gate in gates if gate.status is Status.FAILED]
        if lost or candidates.deployed.path == candidates.float_student.path:
            return lost
        _, verdict = self._verdict(variant, candidates)
        return [gate for gate in verdict.gates if gate.name == NEVER_SLOWER and gate.status is Status.FAILED]

    def _made(self, plan: Plan, target: Target, done: dict[int, StepRun]) -> _Made:
        """Run the steps; `done` holds those that are, by their index, whatever comes after."""
        for planned in plan.order():
            done[planned.index] = self.driver.step_run(target, planned, done, len(plan.steps))
        runs = tuple(done[each.index] for each in plan.steps)
        artifacts = [
            self.driver.entry(Role.STUDENT) if index is None else runs[index].artifact
            for index in (plan.deployed, plan.float_student, plan.reference)
        ]
        names = ("deployed", "float student", "reference")
        return _Made(runs, Candidates(*(self._candidate(*each, target) for each in zip(names, artifacts, strict=True))))

    def _packed(self, choice: _Choice, runtimes: tuple[RuntimeTried, ...]) -> TargetBuild:
        from edgekit.bundle.pack import packed

        target, tried, made = choice.variant.target, choice.tried, choice.made
        candidates = made.candidates
        entry, verdict = self._verdict(choice.variant, candidates)
        origin = Origin(
            recipe=tried.plan.recipe,
            passed_over=[asdict(each) for each in choice.passed_over],
            runtimes=[each.to_json() for each in runtimes],
            lineage=[_lineage(run) for run in made.runs],
            findings=[each.to_json() for each in tried.findings],
            preprocessing=self._preprocessing(),
            assumed=self.driver.data.assumed,
            verdict=verdict,
            value=candidates.deployed.metric,
            reference_value=candidates.reference.metric,
        )
        bundle = packed(self.project, target, candidates.deployed.path, entry.folder / "golden.npz", origin)
        models = (candidates.deployed, candidates.float_student, candidates.reference)
        sizes = [each.path.stat().st_size for each in models]
        return TargetBuild(
            target=target,
            recipe=tried.plan.recipe,
            passed_over=choice.passed_over,
            bundle=bundle,
            model_bytes=sizes[0],
            float_bytes=sizes[1],
            reference_bytes=sizes[2],
            value=candidates.deployed.metric,
            float_value=candidates.float_student.metric,
            reference_value=candidates.reference.metric,
            verdict=verdict,
            steps=made.runs,
            findings=tried.findings,
            runtimes=runtimes,
        )

    def _preprocessing(self) -> dict[str, Any]:
        """What becomes of a raw sample: as the samples were read, else as the project tells."""
        if self.project.model_file is None:
            return self.project.preprocessing
        return self.driver.splits[Data.EVALUATION].preprocessing

    def _candidate(self, name: str, artifact: Artifact, target: Target) -> Candidate:
        driver = self.driver
        metric, chance = driver.metric(artifact, target), driver.chance(artifact, target)
        similarity, data = driver.similarity(artifact, target), driver.about(artifact, target)
        return Candidate(name, artifact.path, metric, chance, similarity, data)

    def _runner(self, variant: _Variant) -> Runner | EmulatorError:
        try:
            return variant.runner or runner_for(variant.target)
        except EmulatorError as error:
            return error

    def _verdict(self, variant: _Variant, candidates: Candidates) -> tuple[Entry, Verdict]:
        """The gates' verdict on a target; kept until the models, the data, the budgets or the emulator change."""
        target, runner = variant.target, self._runner(variant)
        identity = f"none: {runner.message}" if isinstance(runner, EmulatorError) else runner.identity()
        models = (candidates.deployed, candidates.float_student, candidates.reference)
        key = sha256_of_json(
            {
                "verdict": [sha256_of_file(each.path) for each in models],
                "target": target.to_json(),
                "budgets": self.project.budgets.to_json(),
                "metric": [
                    self.project.metric,
                    *((each.metric, each.chance, dict(each.similarity)) for each in models),
                ],
                "data": self.driver.data.digest(Data.EVALUATION),
                "runner": identity,
                "code": code_version("edgekit.verdict.verify"),
                "packages": {name: package_version(name) for name in get_args(RuntimeName)},
            }
        )

        def judged(output: Path, _: Path) -> dict[str, Any]:
            self.progress.note(f"verifying on {identity}")
            verdict = verified(
                self.project, self.driver.splits[Data.EVALUATION], target, candidates, runner, output / "golden.npz"
            )
            return {"kind": "verdict", **verdict.to_json()}

        entry, _ = self.driver.cache.entry(
            key, judged, lambda: self.progress.note("waiting for another build that verifies")
        )
        return entry, verdict_from_json(entry.record)


def _share(plan: Plan, other: Plan, count: int) -> bool:
    """Whether both begin with the same steps, so many."""
    return [each.step for each in plan.order()[:count]] == [each.step for each in other.order()[:count]]


def _lineage(run: StepRun) -> Lineage:
    artifact = run.artifact
    return Lineage(
        run.name, run.role, run.options, artifact.digest, artifact.parents, artifact.notes, run.metric, run.warning
    )
