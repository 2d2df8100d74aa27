"""Recipes and steps written in one line."""

import tomllib
from typing import Any

from edgekit.planning.recipe import Recipe, recipe_from


def recipe_in_words(text: str) -> Recipe:
    """The recipe of steps separated by semicolons: `train teacher; distill epochs=5; export`. Raises RecipeError."""
    return recipe_from(text, [step_in_words(each) for each in text.split(";")], f"'{text}'")


def step_in_words(text: str) -> dict[str, Any]:
    """The [[steps]] table of a step in words: its name, `teacher` for that role, and options such as `ratio=0.5`."""
    use, *rest = text.split() or [""]
    options = dict(each.split("=", 1) for each in rest if "=" in each)
    roles = [each for each in rest if "=" not in each]
    return {"use": use, **({"role": roles[0]} if roles else {}), **{key: _value(text) for key, text in options.items()}}


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
