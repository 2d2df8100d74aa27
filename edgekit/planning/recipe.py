"""Recipe: ordered steps with their options, from recipes/*.toml, a file, or edgekit.toml itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgekit.contract.registry import current_step_name, fallback_step, load_all, step_from
from edgekit.contract.step import Step
from edgekit.deprecation import current_name
from edgekit.encoding import one_line
from edgekit.errors import RecipeError, did_you_mean
from edgekit.project.project import PROJECT_FILE, Project
from edgekit.records import read_toml
from edgekit.survey.survey import Survey
from edgekit.traits import Role, Trait

RECOMMENDED = "distil-prune-int8"
RECOMMENDED_FOR_TRANSFORMERS = "distil-int8-dynamic"
"""For transformers that are trained."""
RECOMMENDED_WITHOUT_PRUNING = "distil-int8"
"""For other students of which pruning can remove nothing, such as recurrent networks."""
RECOMMENDED_FOR_FILES = "int8"
RECOMMENDED_FOR_TRANSFORMER_FILES = "int8-dynamic"
"""For files of transformers."""
RECOMMENDED_FOR_INTEGERS = "as-given"
"""For files that are already quantized."""
_TEXTS = {"about": 'write one sentence: about = "..."', "fallback": 'name a recipe: fallback = "..."'}
"""The keys of a recipe file besides its steps, and the hint for a value that is not text."""
_FORMER_KEYS = {"otherwise": "fallback"}
_FORMER_RECIPES = {"int8-products": "int8-conv-matmul"}


@dataclass(frozen=True)
class RecipeStep:
    step: Step
    role: Role

    @property
    def label(self) -> str:
        """The step's name, with its role unless that is the student."""
        return self.step.name() if self.role is Role.STUDENT else f"{self.step.name()} {self.role}"


@dataclass(frozen=True)
class Recipe:
    name: str
    steps: tuple[RecipeStep, ...]
    about: str = field(default="", compare=False)
    source: Path | None = field(default=None, compare=False)
    """The file that holds the steps; None for a recipe made in code."""
    fallback: str = field(default="", compare=False)
    """The recipe that a build uses if this one was not named and fails or loses too much."""


def recipe_of(project: Project, student: Survey | None = None) -> Recipe:
    """The recipe of a project: its own [[steps]], a named recipe, or the recommended one for its student, if that was
    surveyed.

    In a named recipe, a role whose trained weights the project declares is loaded instead of trained, and [options]
    override options of its steps. Raises RecipeError for options of a step that the recipe lacks and for declared
    weights that no step loads, which would otherwise be ignored silently, and for weights to load that are not
    declared.
    """
    path = project.root / PROJECT_FILE
    if not project.steps:
        name = project.recipe or recommended_recipe(project, student)
        named = recipe_for(project, find_recipe(name, project.root))
        for role in _unused_weights(named, project):
            raise RecipeError(
                f"edgekit.toml has {role}_weights, but recipe '{named.name}' does not train the {role}: no step "
                "loads them",
                f'choose a recipe that trains the {role}, or [[steps]] with use = "load", or remove the key',
            )
        return _with_options(named, _options_of(project), str(path))
    own = replace(recipe_from(project.name, project.steps, str(path)), source=path)
    for role in _unused_weights(own, project):
        raise RecipeError(
            f"edgekit.toml has {role}_weights, but no step loads them",
            f'put [[steps]] use = "load", role = "{role}" instead of train, or remove the key',
        )
    _check_loads(own, project)
    return own


def recipes_of(project: Project, student: Survey | None = None) -> list[Recipe]:
    """The recipes that a build tries in order: only the project's, if it names one; otherwise the recommended one and
    its fallbacks, with the project's [options] for the steps that they have.

    Raises RecipeError as `recipe_of` does.
    """
    found = [recipe_of(project, student)]
    while found[-1].fallback and not project.recipe and not project.steps:
        named = recipe_for(project, find_recipe(found[-1].fallback, project.root))
        steps = {each.step.name() for each in named.steps}
        options = {name: table for name, table in _options_of(project).items() if name in steps}
        found.append(_with_options(named, options, str(project.root / PROJECT_FILE)))
    return found


def with_float_operators(project: Project, floats: Sequence[str]) -> Project:
    """The project with these operators in float in the step of its recipe that chooses them. Raises RecipeError if its
    own [[steps]] have no such step."""
    kind = fallback_step()
    name, given = kind.name(), {kind.fallback_option: list(floats)}
    names = (name, *kind.former_names)
    if not project.steps:
        return project.copy_with(options={**_options_of(project), name: given})
    if all(each.get("use") not in names for each in project.steps):
        raise RecipeError(
            f"the recipe has no step {name}, which keeps operators in float", f'add [[steps]] use = "{name}"'
        )
    return project.copy_with(
        steps=tuple({**each, **given} if each.get("use") in names else each for each in project.steps)
    )


def recommended_recipe(project: Project, student: Survey | None = None) -> str:
    """The name of the recommended recipe for a project that names none, by the survey of its student. The architecture
    of a model file is read from the file. Raises ModelError for a model file that cannot be read."""
    if project.model_file is None:
        if student is not None and student.architecture == "transformer":
            return RECOMMENDED_FOR_TRANSFORMERS
        cannot_be_pruned = student is not None and student.prunable is not None and not student.prunable
        return RECOMMENDED_WITHOUT_PRUNING if cannot_be_pruned else RECOMMENDED
    if Trait.INTEGER in project.entry_facts:
        return RECOMMENDED_FOR_INTEGERS
    from edgekit.model.importing import file_architecture

    is_transformer = file_architecture(project.model_file) == "transformer"
    return RECOMMENDED_FOR_TRANSFORMER_FILES if is_transformer else RECOMMENDED_FOR_FILES


def pruned_roles(recipe: Recipe) -> set[Role]:
    """The roles from whose modules a recipe removes channels or heads."""
    return {each.role for each in recipe.steps if each.step.technique(None).removed_units}


def recipe_for(project: Project, named: Recipe) -> Recipe:
    """A named recipe fitted to a project: a role whose trained weights are declared is loaded instead of trained.
    Raises RecipeError for weights to load that are not declared."""
    loaded = replace(named, steps=tuple(_with_loading(each, project) for each in named.steps))
    _check_loads(loaded, project)
    return loaded


def _unused_weights(recipe: Recipe, project: Project) -> list[Role]:
    roles = (Role.TEACHER, Role.STUDENT)
    loading = {each.role for each in recipe.steps if each.step.loads_weights()}
    return [role for role in roles if project.weights_file(role) and role not in loading]


def _check_loads(recipe: Recipe, project: Project) -> None:
    for number, each in enumerate(recipe.steps, start=1):
        if each.step.loads_weights() and each.role in project.roles and project.weights_file(each.role) is None:
            raise RecipeError(
                f"step {number} loads the {each.role}, but edgekit.toml has no weights",
                f'add {each.role}_weights = "file.safetensors" to [model], or use the step train',
            )


def _with_loading(each: RecipeStep, project: Project) -> RecipeStep:
    if each.step.loaded_by and project.weights_file(each.role) is not None:
        return RecipeStep(Step.registry[each.step.loaded_by](), each.role)
    return each


def _options_of(project: Project) -> dict[str, Mapping[str, Any]]:
    """The project's [options] by the current name of the step."""
    path = project.root / PROJECT_FILE
    return {current_step_name(name, f"{path}, [options]"): table for name, table in project.options.items()}


def _with_options(recipe: Recipe, options: Mapping[str, Mapping[str, Any]], where: str) -> Recipe:
    """The recipe with the options of [options.STEP] in each step of that name, and of [options.STEP.ROLE] in the role's
    steps. Raises RecipeError for a step or role that the recipe lacks."""
    steps = list(recipe.steps)
    for name, table in options.items():
        roles = [role for role in (Role.TEACHER, Role.STUDENT) if isinstance(table.get(role), Mapping)]
        common = {key: value for key, value in table.items() if key not in roles}
        for role, given in [*([(None, common)] if common else []), *((role, table[role]) for role in roles)]:
            fitting = [
                index for index, each in enumerate(steps) if each.step.name() == name and role in (None, each.role)
            ]
            if not fitting:
                raise RecipeError(*_lacking(recipe, name, role, where))
            for index in fitting:
                changed = {**steps[index].step.options(), **given}
                text = f"{where}, [options.{name}{f'.{role}' if role else ''}]"
                steps[index] = RecipeStep(step_from(name, changed, text), steps[index].role)
    return replace(recipe, steps=tuple(steps))


def _lacking(recipe: Recipe, name: str, role: Role | None, where: str) -> tuple[str, str]:
    """The error and hint for options of a step that a recipe lacks."""
    whose = f"{name} {role}" if role else name
    text = f"{where}: [options.{'.'.join(whose.split())}], but recipe '{recipe.name}' has no step '{whose}'"
    loader = Step.registry[name].loaded_by if name in Step.registry else ""
    if loader and any(each.step.name() == loader and role in (None, each.role) for each in recipe.steps):
        return text, "declared weights are loaded, not trained: remove these options, or the weights from [model]"
    if any(each.step.name() == name for each in recipe.steps):
        return text, f"set [options.{name}] instead"
    return text, did_you_mean(name, sorted({each.step.name() for each in recipe.steps}))


def shipped_recipes() -> dict[str, Path]:
    """The recipes that come with edgekit, by name."""
    found = Path(__file__).with_name("recipes").glob("*.toml")
    return {path.stem: path for path in sorted(found, key=lambda each: each.stem)}


def find_recipe(name: str, root: Path) -> Recipe:
    """The shipped recipe with this name, or the one in this file below `root`. Raises RecipeError."""
    known = shipped_recipes()
    name = current_name(name, _FORMER_RECIPES, "recipe")
    path = root / name if name.endswith(".toml") else known.get(name)
    if path is None:
        raise RecipeError(f"there is no recipe '{name}'", did_you_mean(name, list(known)))
    given = read_toml(path, RecipeError)
    former = {old: new for old, new in _FORMER_KEYS.items() if new not in given}
    tables = {current_name(key, former, str(path)): value for key, value in given.items()}
    unknown = set(tables) - {"steps", *_TEXTS}
    if unknown:
        raise RecipeError(f"{path}: unknown key '{min(unknown)}'", did_you_mean(min(unknown), ["steps", *_TEXTS]))
    for key, hint in _TEXTS.items():
        if not isinstance(tables.get(key, ""), str):
            raise RecipeError(f"{path}: '{key}' is not a string", hint)
    recipe = recipe_from(path.stem, tables.get("steps", ()), str(path))
    return replace(recipe, source=path, **{key: tables.get(key, "") for key in _TEXTS})


def recipe_from(name: str, tables: Sequence[Mapping[str, Any]], where: str) -> Recipe:
    """The recipe that [[steps]] tables describe. Raises RecipeError, which names `where` they are."""
    load_all()
    if not isinstance(tables, list | tuple) or not tables or not all(isinstance(table, Mapping) for table in tables):
        raise RecipeError(f"{where} has no [[steps]]", 'add at least [[steps]] use = "export"')
    return Recipe(name, tuple(_step(table, f"{where}, step {number}") for number, table in enumerate(tables, start=1)))


def recipe_toml(recipe: Recipe, comments: Sequence[str] = ()) -> str:
    """A recipe as a TOML file that `find_recipe` reads, without options at their defaults."""
    import tomlkit

    document = tomlkit.document()
    for comment in comments:
        document.add(tomlkit.comment(one_line(comment)))
    if comments:
        document.add(tomlkit.nl())
    if recipe.about:
        document["about"] = recipe.about
        document.add(tomlkit.nl())
    steps = tomlkit.aot()
    for each in recipe.steps:
        role = {} if each.role is Role.STUDENT else {"role": each.role.value}
        table = tomlkit.table()
        table.update({"use": each.step.name(), **role, **each.step.changed_options()})
        steps.append(table)
    document["steps"] = steps
    return tomlkit.dumps(document)


def _step(table: Mapping[str, Any], where: str) -> RecipeStep:
    options = {key: value for key, value in table.items() if key not in ("use", "role")}
    if "use" not in table:
        raise RecipeError(f"{where}: 'use' is missing", 'name the step: use = "export"')
    role = table.get("role", Role.STUDENT)
    if role not in (Role.TEACHER, Role.STUDENT):
        raise RecipeError(f"{where}: no role '{role}'", did_you_mean(str(role), [Role.TEACHER, Role.STUDENT]))
    return RecipeStep(step_from(str(table["use"]), options, where), Role(role))
