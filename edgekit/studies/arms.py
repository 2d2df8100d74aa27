"""The arms of a study: a pair in both orders, a recipe's possible orders, a recipe without one technique at a time."""

from collections import Counter
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
    label, other_label = _names((one, other))
    arms = (
        Recipe(f"{label} then {other_label}{more}", (*before, *_complete(one, other))),
        Recipe(f"{other_label} then {label}{more}", (*before, *_complete(other, one))),
    )
    if not any(each.role is one.role for each in before):
        return Arms(arms, swaps=(Swap(one, other, arms[0].name, arms[1].name),))
    base = Recipe("before the pair", before)
    single = (
        Recipe(f"{label} alone{more}", (*before, *_complete(one))),
        Recipe(f"{other_label} alone{more}", (*before, *_complete(other))),
    )
    alone = (Alone(one, single[0].name, base.name), Alone(other, single[1].name, base.name))
    swap = Swap(one, other, arms[0].name, arms[1].name, (single[0].name, single[1].name))
    return Arms(arms, (base, *single), alone, (swap,))


def _names(steps: Sequence[RecipeStep]) -> list[str]:
    """The steps' labels, with the position from 1 where several have the same one."""
    counts = Counter(each.label for each in steps)
    return [
        each.label if counts[each.label] == 1 else f"{each.label} ({number})" for number, each in enumerate(steps, 1)
    ]


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
    names = _names(recipe.steps)
    allowed: dict[tuple[int, ...], Recipe] = {}
    impossible = []
    for order in permutations(places):
        steps = list(recipe.steps)
        for place, index in zip(places, order, strict=True):
            steps[place] = recipe.steps[index]
        text = " > ".join(names[index] for index in order)
        made = replace(recipe, name=recipe.name if list(order) == places else text, steps=tuple(steps))
        if fault := _fault(made, project):
            impossible.append(f"{text}: {fault}")
        elif made.steps not in {each.steps for each in allowed.values()}:
            allowed[order] = made
    if len(allowed) < 2:
        raise StudyError(
            f"the techniques of '{recipe.name}' have one order only"
            + (f": {impossible[0].partition(': ')[2]}" if impossible else ""),
            "study what each adds: --ablate",
        )
    base, single = _single_techniques(project, recipe, places)
    swaps = []
    for one, other in permutations(allowed, 2):
        apart = [place for place in range(len(places)) if one[place] != other[place]]
        if len(apart) == 2 and apart[1] == apart[0] + 1 and one < other:
            first, then = (one[place] for place in apart)
            alone = (single[first].name, single[then].name) if {first, then} <= single.keys() else None
            swaps.append(Swap(recipe.steps[first], recipe.steps[then], allowed[one].name, allowed[other].name, alone))
    return Arms(
        tuple(allowed.values()),
        (base, *single.values()) if single else (),
        tuple(Alone(recipe.steps[index], arm.name, base.name) for index, arm in single.items()),
        tuple(swaps),
        impossible=tuple(impossible),
    )


def _single_techniques(project: Project, recipe: Recipe, places: Sequence[int]) -> tuple[Recipe, dict[int, Recipe]]:
    """The recipe without the techniques at these places, and with one of them alone, by its place, as far as that can
    be run; none if the recipe without any cannot be."""
    names = _names(recipe.steps)
    base = _without(recipe, places, "no technique", project)
    single = {
        kept: _without(recipe, [each for each in places if each != kept], f"{names[kept]} alone", project)
        for kept in places
    }
    return base, {index: arm for index, arm in single.items() if not _fault(base, project) and not _fault(arm, project)}


def ablation_arms(project: Project, recipe: Recipe) -> Arms:
    """The recipe, and the recipe without each of its techniques. Instead of distillation, the student is trained for as
    long; other epochs are omitted with their step. Raises StudyError if nothing can be omitted."""
    arms, omissions, impossible = [recipe], [], []
    for index, (label, each) in enumerate(zip(_names(recipe.steps), recipe.steps, strict=True)):
        if not is_technique(each):
            continue
        name = f"without {label}"
        arm = _without(recipe, [index], name, project)
        if fault := _fault(arm, project):
            impossible.append(f"{name}: {fault}")
        else:
            arms.append(arm)
            omissions.append(StepOmission(each, name))
    if not omissions:
        raise StudyError(f"'{recipe.name}' has no technique that can be left out", "give another recipe: --recipe")
    return Arms(tuple(arms), whole=recipe.name, omissions=tuple(omissions), impossible=tuple(impossible))


def _without(recipe: Recipe, places: Sequence[int], name: str, project: Project) -> Recipe:
    """The recipe without the techniques at these places, and without what then has nothing to do."""
    steps = [
        step for index, each in enumerate(recipe.steps) for step in (_instead(each) if index in places else [each])
    ]
    return _without_idle(replace(recipe, name=name, steps=tuple(steps)), project)


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
