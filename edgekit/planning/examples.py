"""Examples of findings: a recipe in a line of words, and the surroundings that it is judged in."""

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from edgekit.planning.lint import Surroundings
from edgekit.planning.recipe import Recipe, recipe_from
from edgekit.project.survey import Survey
from edgekit.target import find_target
from edgekit.traits import Role

_PARAMETERS = 1000


def recipe_in_words(text: str) -> Recipe:
    """The recipe of steps between semicolons, each a name, a role where it is the teacher's, and options:
    `train teacher; distill epochs=5; export`. Raises RecipeError."""
    return recipe_from(text, [_table(each.split()) for each in text.split(";")], f"'{text}'")


def _table(words: list[str]) -> dict[str, Any]:
    use, *rest = words
    options = dict(each.split("=", 1) for each in rest if "=" in each)
    roles = [each for each in rest if "=" not in each]
    return {"use": use, **({"role": roles[0]} if roles else {}), **{key: _value(text) for key, text in options.items()}}


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def surroundings_given(given: Mapping[str, Any]) -> Surroundings:
    """Surroundings of which everything is known: a convolutional network for rpi4 but for what is `given`."""
    model = Survey(
        architecture=given.get("architecture", "cnn"),
        parameters=_PARAMETERS,
        channels=tuple(given.get("channels", (16, 32))),
        batch_norms=given.get("batch_norms", True),
        batch_s=0.1,
        batches=10,
    )
    teacher = replace(model, parameters=round(_PARAMETERS / given.get("student_share", 0.5)))
    target = find_target(given.get("target", "rpi4"))
    roles = frozenset({Role.TEACHER, Role.STUDENT} if given.get("teacher", True) else {Role.STUDENT})
    scheme = {name: given[name] for name in ("reduce_range", "symmetric_activation") if name in given}
    target = target.changed(
        isa=frozenset(given.get("isa", target.isa)), quantization=target.quantization.changed(**scheme)
    )
    return Surroundings(target, {Role.TEACHER: teacher, Role.STUDENT: model}, roles)
