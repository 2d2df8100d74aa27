"""Build a project for its targets."""

from collections.abc import Collection, Sequence
from pathlib import Path

from edgekit.builds.builder import Builder, RecipeTrial
from edgekit.builds.result import Build, DataUse
from edgekit.builds.surveys import surveys_for
from edgekit.builds.variants import RuntimeVariant, variants_for
from edgekit.call_options import BuildOptions
from edgekit.data.splits import Splits
from edgekit.errors import PlanError, TargetError, did_you_mean
from edgekit.metrics.choice import with_metric
from edgekit.metrics.names import check_metric
from edgekit.planning.interactions import Interactions, Severity
from edgekit.planning.lint import FAULT_CODES, Finding, LintResult, interactions_of, lint, planning_context
from edgekit.planning.recipe import recipes_of, with_float_operators
from edgekit.progress import Progress
from edgekit.project.project import Project
from edgekit.survey.kept import survey_for_recipe
from edgekit.target import Target
from edgekit.target_files import find_target

_DEFAULTS = BuildOptions()


def chosen_targets(project: Project, names: Sequence[str]) -> list[Target]:
    """The named targets, or else the project's own, without duplicates. Raises TargetError."""
    wanted = dict.fromkeys(names or project.targets)
    if not wanted:
        raise TargetError("no target is given", 'edgekit build --target ID, or targets = ["ID"] in edgekit.toml')
    return [find_target(name, (project.targets_folder,)) for name in wanted]


def build(
    project: Project,
    targets: Sequence[Target],
    progress: Progress,
    options: BuildOptions = _DEFAULTS,
) -> Build:
    """Build a project for each target. Results of earlier builds are taken from the cache.

    With the option `float_operators`, the manifest of an earlier build for the one target, the same operators stay
    float without being timed again. `runner` is where each target is verified, as `runner_for` takes it. `runtime` is
    one that the target lists, by default its own; `best` builds for each and keeps the fastest that keeps the budgets.
    With `again`, times are measured again. Options of model files are ignored: the project has them.

    Raises PlanError before any work if the recipe's order is impossible, or if it is unwise (a finding of severity
    error) and the finding's code is not `allowed`; TargetError for a runtime that a target does not list; StepError or
    ToolError if a package that writes TFLite, or the runtime, is needed and missing; StorageError if the bundle of
    another model file would be replaced; EmulatorError or BoardError if the named runner cannot be used; and the error
    of a step that fails.
    """
    from edgekit.bundle.pack import check_place

    if options.float_operators is not None:
        project = _with_float_operators_from(project, targets, Path(options.float_operators))
    check_metric(project)
    splits = Splits(project)
    recipes = recipes_of(project, survey_for_recipe(project, splits))
    runtime, runner = options.runtime, options.runner
    wanted = [variants_for(project, target, recipes, runtime, runner, progress) for target in targets]
    interactions = interactions_of(project)
    _check_codes(options.allowed, interactions)
    for target in targets:
        check_place(project, target)
    project = with_metric(project, splits)
    builder = Builder(project, splits, progress, again=options.again)
    surveys = surveys_for(project, splits, recipes, progress)

    def tries(variant: RuntimeVariant) -> list[RecipeTrial]:
        context = planning_context(project, variant.target, surveys)
        pairs = zip(variant.recipes, variant.plans, strict=True)
        return [
            RecipeTrial(plan, _accept_findings(lint(recipe, context, interactions), options.allowed))
            for recipe, plan in pairs
        ]

    judged = [([(variant, tries(variant)) for variant in each.all], each.left) for each in wanted]
    first = (one for variants, _ in judged for _, trials in variants for one in trials[0].findings)
    for text in dict.fromkeys(f"{one.severity} {one.code}: {one.message}; {one.fix}" for one in first):
        progress.note(text)
    built = tuple(builder.target_build(*each) for each in judged)
    used = DataUse.of(project, splits) if project.model_file is not None else None
    return Build(project, built, tuple(builder.driver.data.assumed), used)


def _with_float_operators_from(project: Project, targets: Sequence[Target], manifest: Path) -> Project:
    from edgekit.bundle.manifest import float_operators_of

    target, floats = float_operators_of(manifest)
    if [each.id for each in targets] != [target]:
        raise PlanError(
            f"{manifest} belongs to a build for {target} alone", f"build for that target: --target {target}"
        )
    return with_float_operators(project, floats)


def _check_codes(allowed: Collection[str], interactions: Interactions) -> None:
    known = {row.code for row in interactions}
    for code in allowed:
        if code in FAULT_CODES.values():
            raise PlanError(
                f"{code} cannot be allowed: the steps cannot run in this order", "change the order of the steps"
            )
        if code not in known:
            raise PlanError(f"no finding has the code '{code}'", did_you_mean(code, sorted(known)))


def _accept_findings(judgement: LintResult, allowed: Collection[str]) -> tuple[Finding, ...]:
    """The findings that a build proceeds with: warnings, and errors that are allowed. Raises PlanError for others."""
    refused = [each for each in judgement.errors if each.code not in allowed]
    if refused:
        more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
        raise PlanError(
            f"{refused[0].code}: {refused[0].message}{more}",
            f"{refused[0].fix}, as edgekit plan shows; or accept the finding: "
            f"--allow {' --allow '.join(sorted({each.code for each in refused}))}",
        )
    return tuple(each for each in judgement.findings if each.severity is not Severity.INFO)
