"""The surveys of the models that recipes work on."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from edgekit.planning.recipe import Recipe, pruned_roles
from edgekit.progress import Progress
from edgekit.project.project import Project
from edgekit.survey.kept import known_surveys, survey_model
from edgekit.survey.survey import Survey
from edgekit.traits import Role

if TYPE_CHECKING:
    from edgekit.data.splits import Splits


def surveys_for(
    project: Project, splits: "Splits", recipes: Sequence[Recipe], progress: Progress
) -> Mapping[Role, Survey | None]:
    """What is known of each model, with the surveys of those that recipes work on: taken now if they are not kept, and
    with what pruning can remove if a recipe prunes the model."""
    found = dict(known_surveys(project))
    pruned = {role for recipe in recipes for role in pruned_roles(recipe)}
    for role in sorted({each.role for recipe in recipes for each in recipe.steps} & project.roles):
        if found[role] is None:
            progress.note(f"inspecting the {role}")
        found[role] = survey_model(project, splits, role, prunable=role in pruned)
    return found
