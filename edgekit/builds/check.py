"""Check a recipe before anything is trained: what `edgekit plan` shows."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from edgekit.builds.surveys import surveys_for
from edgekit.errors import ProjectError
from edgekit.metrics.names import check_metric
from edgekit.notebooks import ShownInNotebooks
from edgekit.planning.advice import Advice, advise
from edgekit.planning.interactions import Severity
from edgekit.planning.lint import (
    Finding,
    LintResult,
    MeasuredOrders,
    Undecided,
    interactions_of,
    lint,
    merge_findings,
    planning_context,
)
from edgekit.planning.recipe import RECOMMENDED, Recipe, find_recipe, recipe_for, recipe_of
from edgekit.planning.runtime_fit import fit_to_runtime
from edgekit.progress import Progress
from edgekit.project.project import PROJECT_FILE, Project
from edgekit.records import Record
from edgekit.survey.kept import known_surveys, survey_for_recipe
from edgekit.survey.survey import Survey
from edgekit.target import Target
from edgekit.target_files import find_target
from edgekit.traits import Role


class RecipeCheck(Record, ShownInNotebooks, frozen=True):
    """A recipe with its findings for each target and the advice for all of them."""

    recipe: Recipe
    project: Project | None
    targets: tuple[Target, ...]
    """Empty if no target is known."""
    surveys: Mapping[Role, Survey | None]
    """What is known of each model; None if it was never inspected."""
    judgement: LintResult
    """For the target with the most severe findings."""
    findings: tuple[Finding, ...]
    """For all targets. A finding that does not depend on the target appears once."""
    undecided: tuple[Undecided, ...]
    advice: Advice
    measured: MeasuredOrders | None
    """The study whose results replace rows of the interaction table, if one was given."""

    @property
    def has_errors(self) -> bool:
        return any(each.severity is Severity.ERROR for each in self.findings)


def check_recipe(
    project: Project | None,
    progress: Progress,
    recipe_name: str | None = None,
    target_names: Sequence[str] = (),
    *,
    inspect: bool = False,
    measured: MeasuredOrders | None = None,
) -> RecipeCheck:
    """Check the recipe of a project, or the one named, for the targets named or else the project's own.

    Without a project nothing is known of the models. What is known of them was kept by an earlier inspection; with
    `inspect` they are loaded and inspected now. `measured` holds the results of a study, which replace the rows of the
    interaction table that they cover. Raises ProjectError, RecipeError, TargetError and InteractionsError for wrong
    files and names.
    """
    if project is None and inspect:
        raise ProjectError(
            f"there is no {PROJECT_FILE} in this folder, so no model to inspect",
            "change to the project's folder, or give it with -C DIR",
        )
    if project is not None:
        check_metric(project)
    surveys: Mapping[Role, Survey | None] = {}
    if project is None or not inspect:
        surveys = known_surveys(project) if project is not None else {}
        recipe = _recipe(project, recipe_name, surveys.get(Role.STUDENT))
    else:
        from edgekit.data.splits import Splits

        splits = Splits(project)
        progress.note("inspecting the student")
        recipe = _recipe(project, recipe_name, survey_for_recipe(project, splits))
        surveys = surveys_for(project, splits, [recipe], progress)
    targets = _targets(project, target_names)
    interactions = interactions_of(project)
    contexts = [planning_context(project, each, surveys).copy_with(measured=measured) for each in targets or (None,)]
    judgements = [lint(fit_to_runtime(recipe, each.target), each, interactions) for each in contexts]
    gravest = max(range(len(judgements)), key=lambda index: judgements[index].gravity)
    undecided = {each.code: each for judgement in judgements for each in judgement.undecided}
    return RecipeCheck(
        judgements[gravest].recipe,
        project,
        tuple(targets),
        surveys,
        judgements[gravest],
        merge_findings(judgements),
        tuple(undecided.values()),
        advise(
            judgements[gravest],
            contexts[gravest],
            interactions,
            [each for index, each in enumerate(contexts) if index != gravest],
        ),
        measured,
    )


def _recipe(project: Project | None, name: str | None, survey: Survey | None) -> Recipe:
    """The named recipe, its path relative to the working directory; else the project's; else the recommended one, by
    what is known of the student."""
    if name is None and project is not None:
        return recipe_of(project, survey)
    named = find_recipe(name or RECOMMENDED, Path())
    return named if project is None else recipe_for(project, named)


def _targets(project: Project | None, names: Sequence[str]) -> list[Target]:
    folders = (project.targets_folder,) if project is not None else ()
    wanted = names or (project.targets if project is not None else ())
    return [find_target(name, folders) for name in dict.fromkeys(wanted)]
