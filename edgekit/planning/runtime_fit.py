"""Fit a recipe to a target's runtime: steps that the runtime does not support are left out or replaced."""

from dataclasses import replace

from edgekit.contract.registry import converter_to, load_all
from edgekit.contract.step import Step
from edgekit.errors import PlanError
from edgekit.planning.recipe import Recipe, RecipeStep
from edgekit.runtime_specs import RUNTIMES
from edgekit.target import Target
from edgekit.traits import Format, Role


def fit_to_runtime(recipe: Recipe, target: Target | None) -> Recipe:
    """The recipe fitted to a target's runtime; unchanged if no target is known.

    Steps of the student that need a feature which the runtime lacks are left out. If the runtime takes another file
    format than ONNX, a last step is added: the one that writes the compression of a removed step in that format, else
    the converter to the format. Raises PlanError for a recipe that ends in a format that the runtime does not take.
    """
    if target is None:
        return recipe
    load_all()
    spec = RUNTIMES[target.runtime.name]
    for writer in (each for each in recipe.steps if Format.TFLITE in each.step.contract.provides):
        if spec.format is not Format.TFLITE:
            raise PlanError(
                f"recipe '{recipe.name}' writes a TFLite file, but {target.id} runs {target.runtime.name}",
                f"remove {writer.step.name()} from the recipe, or build for another target",
            )
    is_supported = [
        each.role is not Role.STUDENT or each.step.feature is None or each.step.feature in spec.features
        for each in recipe.steps
    ]
    steps = [each for each, kept in zip(recipe.steps, is_supported, strict=True) if kept]
    if spec.format is not Format.ONNX and not any(spec.format in each.step.contract.provides for each in steps):
        left_out = (each for each, kept in zip(recipe.steps, is_supported, strict=True) if not kept)
        equivalent = next((each.step.equivalents[spec.format] for each in left_out if each.step.equivalents), None)
        writer_kind = Step.registry[equivalent] if equivalent else converter_to(spec.format)
        steps.append(RecipeStep(writer_kind(), Role.STUDENT))
    return recipe if steps == list(recipe.steps) else replace(recipe, steps=tuple(steps))
