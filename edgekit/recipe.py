"""Recipe: ordered steps with their options, from recipes/*.toml, a file, or edgekit.toml itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import edgekit.steps as steps_room
from edgekit.errors import RecipeError, did_you_mean
from edgekit.project import PROJECT_FILE, Project
from edgekit.step import Step, step_from
from edgekit.toml import read_toml
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


def recipe_of(project: Project) -> Recipe:
    """The recipe that a project asks for: its own [[steps]], a named one, or the recommended one."""
    if project.steps:
        return _parsed(project.name, project.steps, str(project.root / PROJECT_FILE))
    return find_recipe(project.recipe or RECOMMENDED, project.root)


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
    return _parsed(path.stem, tables.get("steps", ()), str(path))


def _parsed(name: str, tables: Sequence[Mapping[str, Any]], where: str) -> Recipe:
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
