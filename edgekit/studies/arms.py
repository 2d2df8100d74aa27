"""The arms of a study: a pair in both orders, a recipe's possible orders, a recipe without one technique at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import permutations, takewhile
from typing import Any

from edgekit.contract.technique import Family
from edgekit.errors import StudyError
from edgekit.planning.lint import is_technique
from edgekit.planning.plan import walk_recipe
from edgekit.planning.recipe import Recipe, RecipeStep, recipe_from
from edgekit.planning.words import step_in_words
from edgekit.project.project import Project
from edgekit.steps.distill import Distill
from edgekit.steps.export import Export
from edgekit.steps.finetuned import FineTunedStep
from edgekit.steps.quantize import Quantize
from edgekit.steps.simplify import Simplify
from edgekit.steps.train import Train
from edgekit.traits import Format, Role

_MOST = 4
"""The most techniques whose orders are tried: five have 120."""
_TUNED = 10
"""Epochs of fine-tuning if neither step of a pair sets them."""


@dataclass(frozen=True)
class Swap:
    """Two arms that differ only in the order of two steps."""

    first: RecipeStep
    then: RecipeStep
    arm: str
    other: str
    alone: tuple[str, str] | None = None
    """The arms with the first step alone and with the later one alone; None if one of them cannot be run."""


@dataclass(frozen=True)
class Alone:
    """An arm with a single technique, and the one without any."""

    step: RecipeStep
    arm: str
    base: str


@dataclass(frozen=True)
class StepOmission:
    step: RecipeStep
    arm: str
    """The arm without it."""


@dataclass(frozen=True)
class Arms:
    recipes: tuple[Recipe, ...]
    preliminary: tuple[Recipe, ...] = ()
    """Arms that are run first: without any technique, and with each alone."""
    alone: tuple[Alone, ...] = ()
    swaps: tuple[Swap, ...] = ()
    whole: str = ""
    omissions: tuple[StepOmission, ...] = ()
    impossible: tuple[str, ...] = ()
    """What was requested and cannot be run, with the reason."""


def arms_of(project: Project, recipe: Recipe, pairs: Sequence[str], *, orders: bool, ablate: bool) -> Arms:
    """The requested arms: `pairs` as `pair_arms` reads them, the recipe's `orders`, or what its techniques add
    (`ablate`); without any of these, the recipe alone.

    Raises StudyError if there is nothing to compare and for a project that trains nothing, RecipeError for a wrong
    pair.
    """
    if project.model_file is not None:
        raise StudyError(
            "a study trains models, but this project starts from an ONNX file",
            "edgekit build shows what its recipes lose; for a study, give modules and training data in edgekit.toml",
        )
    found = [pair_arms(project, recipe, pair) for pair in pairs]
    if orders:
        found.append(order_arms(project, recipe))
    if ablate:
        found.append(ablation_arms(project, recipe))
    if not found:
        found.append(Arms((recipe,), whole=recipe.name))
    return _join(found)


def pair_arms(project: Project, recipe: Recipe, words: str) -> Arms:
    """Two techniques in both orders after the recipe's training and distillation, without fine-tuning and with some
    after each, if the steps support both.

    `words` are two steps separated by a comma, each with a role and options if needed: "quantize-weights bits=4,
    sparsify sparsity=0.7". Other options are those of the recipe's step of that name, if it has one.
    """
    tables = [_as_recipe_has(step_in_words(each), recipe) for each in words.split(",")]
    pair = recipe_from("", tables, f"--pair '{words}'").steps
    if len(pair) != 2:
        raise StudyError(
            f"--pair '{words}' names {len(pair)} steps", "give two steps: --pair quantize-weights,sparsify"
        )
    one, other = pair
    if one == other:
        raise StudyError(f"--pair '{words}' names the same step twice", "give two different steps")
    found = [_both_orders(recipe, *steps, entry) for entry, steps in _tunings(one, other)]
    for arms in found:
        for arm in arms.recipes:
            if fault := _fault(arm, project):
                raise StudyError(f"{one.label} and {other.label} have one order only: {fault}", "give another pair")
    return _join(found)


def _as_recipe_has(table: dict[str, Any], recipe: Recipe) -> dict[str, Any]:
    """A step's table, completed by the options of the recipe's own step of this name and role."""
    named = table["use"], table.get("role", Role.STUDENT)
    own = next((each for each in recipe.steps if (each.step.name(), each.role) == named), None)
    return table if own is None else {**own.step.options(), **table}


def _tunings(one: RecipeStep, other: RecipeStep) -> Iterator[tuple[str, tuple[RecipeStep, RecipeStep]]]:
    """The pair without and with fine-tuning; unchanged if a step always or never trains."""
    if not (isinstance(one.step, FineTunedStep) and isinstance(other.step, FineTunedStep)):
        yield "", (one, other)
        return
    yield "not fine-tuned", (_with_epochs(one, 0), _with_epochs(other, 0))
    epochs = max(one.step.epochs, other.step.epochs) or _TUNED
    yield "fine-tuned", (_with_epochs(one, one.step.epochs or epochs), _with_epochs(other, other.step.epochs or epochs))


def _with_epochs(each: RecipeStep, epochs: int) -> RecipeStep:
    assert isinstance(each.step, FineTunedStep)
    return replace(each, step=replace(each.step, epochs=epochs))


def _both_orders(recipe: Recipe, one: RecipeStep, other: RecipeStep, text: str) -> Arms:
    named = {(each.step.name(), each.role) for each in (one, other)}
    before = tuple(takewhile(lambda each: _trains(each) and (each.step.name(), each.role) not in named, recipe.steps))
    more = f", {text}" if text else ""
    arms = []
    for first, then in ((one, other), (other, one)):
        name = f"{first.label} then {then.label}{more}"
        arms.append(Recipe(name, (*before, *_complete(first, then))))
    names = [arm.name for arm in arms]
    if not any(each.role is one.role for each in before):
        return Arms(tuple(arms), swaps=(Swap(one, other, names[0], names[1]),))
    base = Recipe("before the pair", before)
    single = [Recipe(f"{each.label} alone{more}", (*before, *_complete(each))) for each in (one, other)]
    alone = tuple(Alone(each, arm.name, base.name) for each, arm in zip((one, other), single, strict=True))
    swap = Swap(one, other, names[0], names[1], (single[0].name, single[1].name))
    return Arms(tuple(arms), (base, *single), alone, (swap,))


def _trains(each: RecipeStep) -> bool:
    return each.step.technique(None).family in (Family.TRAINING, Family.DISTILLATION)


def _complete(*techniques: RecipeStep) -> list[RecipeStep]:
    """Techniques of one model, with the export that a file step needs and the quantization that stores integers."""
    steps: list[RecipeStep] = []
    for each in techniques:
        if Format.ONNX in each.step.contract.requires and not any(isinstance(one.step, Export) for one in steps):
            steps += [RecipeStep(Export(), each.role), RecipeStep(Simplify(), each.role)]
        steps.append(each)
    if any(each.step.technique(None).prepares for each in techniques):
        steps += [RecipeStep(step, techniques[-1].role) for step in (Export(), Simplify(), Quantize())]
    return steps


def order_arms(project: Project, recipe: Recipe) -> Arms:
    """The recipe's techniques in every order that the contracts allow, its own first; other steps keep their places.
    Raises StudyError for more than four techniques, and if there is only one order."""
    places = [index for index, each in enumerate(recipe.steps) if is_technique(each)]
    if len(places) > _MOST:
        raise StudyError(
            f"'{recipe.name}' has {len(places)} techniques: too many orders to try", "remove some, or use --pair"
        )
    allowed: dict[tuple[int, ...], Recipe] = {}
    impossible = []
    for order in permutations(places):
        steps = list(recipe.steps)
        for place, index in zip(places, order, strict=True):
            steps[place] = recipe.steps[index]
        text = " > ".join(recipe.steps[index].label for index in order)
        made = replace(recipe, name=recipe.name if list(order) == places else text, steps=tuple(steps))
        if fault := _fault(made, project):
            impossible.append(f"{text}: {fault}")
        else:
            allowed[order] = made
    if len(allowed) < 2:
        raise StudyError(
            f"the techniques of '{recipe.name}' have one order only"
            + (f": {impossible[0].partition(': ')[2]}" if impossible else ""),
            "study what each adds: --ablate",
        )
    preliminary, alone = _single_techniques(project, recipe)
    arm_of_step = {id(each.step.step): each.arm for each in alone}
    swaps = []
    for one, other in permutations(allowed, 2):
        apart = [place for place in range(len(places)) if one[place] != other[place]]
        if len(apart) == 2 and apart[1] == apart[0] + 1 and one < other:
            first, then = (recipe.steps[one[place]] for place in apart)
            pair = arm_of_step.get(id(first.step)), arm_of_step.get(id(then.step))
            known = (pair[0], pair[1]) if pair[0] is not None and pair[1] is not None else None
            swaps.append(Swap(first, then, allowed[one].name, allowed[other].name, known))
    return Arms(tuple(allowed.values()), preliminary, alone, tuple(swaps), impossible=tuple(impossible))


def _single_techniques(project: Project, recipe: Recipe) -> tuple[tuple[Recipe, ...], tuple[Alone, ...]]:
    """The recipe without any technique, and with each alone, as far as they can be run. Instead of distillation, the
    student is trained for as long."""
    places = [index for index, each in enumerate(recipe.steps) if is_technique(each)]

    def with_only(kept: int | None, name: str) -> Recipe:
        steps = [
            step
            for index, each in enumerate(recipe.steps)
            for step in (_instead(each) if index in places and index != kept else [each])
        ]
        return _without_idle(replace(recipe, name=name, steps=tuple(steps)), project)

    base = with_only(None, "no technique")
    if _fault(base, project):
        return (), ()
    found = [(recipe.steps[index], with_only(index, f"{recipe.steps[index].label} alone")) for index in places]
    found = [(each, arm) for each, arm in found if not _fault(arm, project)]
    return (base, *(arm for _, arm in found)), tuple(Alone(each, arm.name, base.name) for each, arm in found)


def ablation_arms(project: Project, recipe: Recipe) -> Arms:
    """The recipe, and the recipe without each of its techniques. Instead of distillation, the student is trained for as
    long; other epochs are omitted with their step. Raises StudyError if nothing can be omitted."""
    arms, omissions, impossible = [recipe], [], []
    for index, each in enumerate(recipe.steps):
        if not is_technique(each):
            continue
        name = f"without {each.label}"
        steps = (*recipe.steps[:index], *_instead(each), *recipe.steps[index + 1 :])
        arm = _without_idle(replace(recipe, name=name, steps=steps), project)
        if fault := _fault(arm, project):
            impossible.append(f"{name}: {fault}")
        else:
            arms.append(arm)
            omissions.append(StepOmission(each, name))
    if not omissions:
        raise StudyError(f"'{recipe.name}' has no technique that can be left out", "give another recipe: --recipe")
    return Arms(tuple(arms), whole=recipe.name, omissions=tuple(omissions), impossible=tuple(impossible))


def _instead(each: RecipeStep) -> list[RecipeStep]:
    """What replaces an omitted technique."""
    step = each.step
    if not isinstance(step, Distill):
        return []
    return [RecipeStep(Train(step.epochs, step.learning_rate, step.weight_decay, step.batch_norm), each.role)]


def _without_idle(recipe: Recipe, project: Project) -> Recipe:
    """The recipe without steps that no longer have anything to do, such as float fallback without integers; techniques
    and training are kept."""
    for fault in walk_recipe(recipe, project.roles, project.entry_facts).obstacles:
        at = fault.step
        if at is None or _trains(recipe.steps[at]) or is_technique(recipe.steps[at]):
            continue
        return _without_idle(replace(recipe, steps=(*recipe.steps[:at], *recipe.steps[at + 1 :])), project)
    return recipe


def _fault(recipe: Recipe, project: Project) -> str:
    """Why a recipe cannot be run; empty if it can."""
    obstacles = walk_recipe(recipe, project.roles, project.entry_facts).obstacles
    return obstacles[0].message if obstacles else ""


def _join(found: Sequence[Arms]) -> Arms:
    """The arms of several questions, each once."""
    return Arms(
        tuple({each.name: each for arms in found for each in arms.recipes}.values()),
        tuple({each.name: each for arms in found for each in arms.preliminary}.values()),
        tuple(each for arms in found for each in arms.alone),
        tuple(each for arms in found for each in arms.swaps),
        next((arms.whole for arms in found if arms.whole), ""),
        tuple(each for arms in found for each in arms.omissions),
        tuple(each for arms in found for each in arms.impossible),
    )
