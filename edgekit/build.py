"""A build: the plan's steps run, the result verified on the target, and packed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.bundle.manifest import Lineage
from edgekit.errors import EmulatorError, PlanError, TargetError, did_you_mean
from edgekit.execution.cache import Entry
from edgekit.execution.driver import Driver, StepRun
from edgekit.execution.keys import package_version
from edgekit.execution.surveys import known_surveys, surveyed
from edgekit.files import sha256_of_file, sha256_of_json
from edgekit.planning.interactions import Interactions, Severity
from edgekit.planning.lint import FAULT_CODES, Finding, Judgement, interactions_of, linted, surroundings_of
from edgekit.planning.plan import Plan, plan_of
from edgekit.planning.recipe import recipe_of
from edgekit.progress import Progress
from edgekit.project.project import Project
from edgekit.project.sources import code_version
from edgekit.runners.choice import runner_for
from edgekit.runners.runner import Runner
from edgekit.target import Target, find_target
from edgekit.traits import Data
from edgekit.verdict.gates import Status
from edgekit.verdict.verify import Candidate, Candidates, Verdict, verdict_from_json, verified


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
    findings: tuple[Finding, ...]
    """Warnings, and errors that were allowed."""


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


def build(project: Project, targets: Sequence[Target], progress: Progress, allowed: Collection[str] = ()) -> Build:
    """Build a project for each target. What was done before, here or for another target, is taken from the cache.

    Raises PlanError before any work when the recipe's order is impossible, or when it is unwise (a finding of severity
    error) and the finding's code is not `allowed`; and the error of the step that fails.
    """
    recipe = recipe_of(project)
    plan = plan_of(recipe, project.roles)
    interactions = interactions_of(project)
    _check_codes(allowed, interactions)
    builder = _Builder(project, progress)
    roles = sorted({each.role for each in recipe.steps})
    surveys = {**known_surveys(project), **{role: surveyed(project, builder.driver.splits, role) for role in roles}}
    surroundings = [surroundings_of(project, target, surveys) for target in targets]
    findings = [_accepted(linted(recipe, each, interactions), allowed) for each in surroundings]
    built = tuple(builder.target_build(plan, *each) for each in zip(targets, findings, strict=True))
    return Build(project, built, tuple(builder.driver.data.assumed))


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


class _Builder:
    def __init__(self, project: Project, progress: Progress) -> None:
        self.project = project
        self.progress = progress
        self.driver = Driver(project, progress)

    def target_build(self, plan: Plan, target: Target, findings: Sequence[Finding]) -> TargetBuild:
        from edgekit.bundle.pack import packed

        done: dict[int, StepRun] = {}
        for planned in plan.order():
            done[planned.index] = self.driver.step_run(target, planned, done, len(plan.steps))
        runs = [done[each.index] for each in plan.steps]
        deployed, reference = runs[plan.deployed], runs[plan.reference]
        float_student = runs[plan.float_student]
        candidates = Candidates(
            *(
                Candidate(
                    name,
                    run.artifact.path,
                    self.driver.metric(run.artifact, target),
                    self.driver.chance(run.artifact, target),
                )
                for name, run in (("deployed", deployed), ("float student", float_student), ("reference", reference))
            )
        )
        entry, verdict = self._verdict(target, candidates)
        bundle = packed(
            self.project,
            target,
            plan.recipe,
            deployed.artifact.path,
            entry.folder / "golden.npz",
            [_lineage(run) for run in runs],
            verdict,
            candidates.deployed.metric,
            candidates.reference.metric,
            self.driver.data.assumed,
            [each.to_json() for each in findings],
        )
        sizes = [run.artifact.path.stat().st_size for run in (deployed, float_student, reference)]
        return TargetBuild(
            target=target,
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
            findings=tuple(findings),
        )

    def _verdict(self, target: Target, candidates: Candidates) -> tuple[Entry, Verdict]:
        """The gates' verdict on a target; kept until the models, the data, the budgets or the emulator change."""
        runner: Runner | EmulatorError
        try:
            runner = runner_for(target)
            identity = runner.identity()
        except EmulatorError as error:
            runner, identity = error, f"none: {error.message}"
        models = (candidates.deployed, candidates.float_student, candidates.reference)
        key = sha256_of_json(
            {
                "verdict": [sha256_of_file(each.path) for each in models],
                "target": target.to_json(),
                "budgets": self.project.budgets.to_json(),
                "metric": [self.project.metric, *((each.metric, each.chance) for each in models)],
                "data": self.driver.data.digest(Data.EVALUATION),
                "runner": identity,
                "code": code_version("edgekit.verdict.verify"),
                "packages": {"onnxruntime": package_version("onnxruntime")},
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


def _lineage(run: StepRun) -> Lineage:
    artifact = run.artifact
    return Lineage(
        run.name, run.role, run.options, artifact.digest, artifact.parents, artifact.notes, run.metric, run.warning
    )
