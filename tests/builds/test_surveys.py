from pathlib import Path

from edgekit.builds.surveys import surveys_for
from edgekit.data.splits import Splits
from edgekit.planning.recipe import find_recipe, recipe_of
from edgekit.progress import Silent
from edgekit.project.project import Project
from edgekit.traits import Role
from tests.notes import Notes


def test_what_can_be_pruned_is_searched_for_in_models_that_a_recipe_prunes(tiny: Project) -> None:
    heard = Notes()
    found = surveys_for(tiny, Splits(tiny), [recipe_of(tiny)], heard)
    teacher, student = found[Role.TEACHER], found[Role.STUDENT]
    assert teacher and teacher.prunable is None and student and student.prunable
    assert heard.texts == ["inspecting the student", "inspecting the teacher"]
    assert surveys_for(tiny, Splits(tiny), [recipe_of(tiny)], heard) == found and len(heard.texts) == 2


def test_models_that_no_recipe_works_on_are_not_surveyed(tiny: Project) -> None:
    recipes = [find_recipe("train-prune-int8", Path())]
    assert surveys_for(tiny, Splits(tiny), recipes, Silent())[Role.TEACHER] is None
