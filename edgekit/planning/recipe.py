"""Recipe: ordered steps with their options, from recipes/*.toml, a file, or edgekit.toml itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import edgekit.steps as steps_room
from edgekit.errors import RecipeError, did_you_mean
from edgekit.project.project import PROJECT_FILE, Project
from edgekit.project.toml import read_toml
from edgekit.steps.load import Load
from edgekit.steps.step import Step, step_from
from edgekit.traits import Role

RECOMMENDED = "distil-prune-int8"


@dataclass(frozen=True)
class RecipeStep:
    step: Step
    role: Role


@dataclass(frozen=True)
class Recipe:
    name: str
    steps: tuple[RecipeStep, ...]


_LOAD = {role: RecipeStep(Load(), role) for role in (Role.TEACHER, Role.STUDENT)}


def recipe_of(project: Project) -> Recipe:
    """The recipe that a project asks for: its own [[steps]], a named one, or the recommended one.

    In a named recipe, a role whose trained weights the project declares is loaded instead of trained. Raises
    RecipeError where [[steps]] leave declared weights unused: they would be ignored without a word.
    """
    if not project.steps:
        named = find_recipe(project.recipe or RECOMMENDED, project.root)
        return Recipe(named.name, tuple(_loaded(each, project) for each in named.steps))
    own = recipe_from(project.name, project.steps, str(project.root / PROJECT_FILE))
    for role in (Role.TEACHER, Role.STUDENT):
        if project.weights_file(role) and not any(each == _LOAD[role] for each in own.steps):
            raise RecipeError(
                f"edgekit.toml names {role}_weights, and no step loads them",
                f'put [[steps]] use = "load", role = "{role}" in the place of train, or remove the key',
            )
    return own


def _loaded(each: RecipeStep, project: Project) -> RecipeStep:
    is_training = each.step.name() == "train" and project.weights_file(each.role) is not None
    return _LOAD[each.role] if is_training else each


def shipped_recipes() -> dict[str, Path]:
    """The recipes that come with edgekit, by name."""
    return {path.stem: path for path in sorted(Path(__file__).with_name("recipes").glob("*.toml"))}


def find_recipe(name: str, root: Path) -> Recipe:
    """The shipped recipe of this name, or the one in this file below `root`. Raises RecipeError."""
    known = shipped_recipes()
    path = root / name if name.endswith(".toml") else known.get(name)
    if path is None:
        raise RecipeError(f"no recipe '{name}'", did_you_mean(name, list(known)))
    tables = read_toml(path, RecipeError)
    unknown = set(tables) - {"steps", "about"}
    if unknown:
        raise RecipeError(f"{path}: unknown key '{min(unknown)}'", did_you_mean(min(unknown), ["steps", "about"]))
    return recipe_from(path.stem, tables.get("steps", ()), str(path))


def recipe_from(name: str, tables: Sequence[Mapping[str, Any]], where: str) -> Recipe:
    """The recipe that [[steps]] tables describe; `where` they stand is told in a RecipeError."""
    steps_room.load_all()
    if not isinstance(tables, list | tuple) or not tables or not all(isinstance(table, Mapping) for table in tables):
        raise RecipeError(f"{where} has no [[steps]]", 'add at least [[steps]] use = "export"')
    return Recipe(name, tuple(_step(table, f"{where}, step {number}") for number, table in enumerate(tables, start=1)))


def _step(table: Mapping[str, Any], where: str) -> RecipeStep:
    options = {key: value for key, value in table.items() if key not in ("use", "role")}
    if "use" not in table:
        raise RecipeError(f"{where}: 'use' is missing", 'name the step: use = "export"')
    role = table.get("role", Role.STUDENT)
    if role not in (Role.TEACHER, Role.STUDENT):
        raise RecipeError(f"{where}: no role '{role}'", did_you_mean(str(role), [Role.TEACHER, Role.STUDENT]))
    return RecipeStep(step_from(str(table["use"]), options, where), Role(role))
