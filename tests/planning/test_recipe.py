from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.errors import RecipeError
from edgekit.planning.recipe import RECOMMENDED, find_recipe, recipe_of, shipped_recipes
from edgekit.project.project import Project, load_project
from edgekit.steps.prune import Prune
from edgekit.traits import Role


def test_a_projects_own_steps_are_its_recipe(tiny: Project) -> None:
    recipe = recipe_of(tiny)
    assert [each.step.name() for each in recipe.steps] == [
        "train", "distill", "prune", "export", "simplify", "quantize", "fuse",
    ]  # fmt: skip
    assert recipe.steps[0].role is Role.TEACHER
    assert recipe.steps[2].step == Prune(ratio=0.5, epochs=2)


@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_a_shipped_recipe_loads(name: str) -> None:
    assert find_recipe(name, Path()).steps


def test_the_recommended_recipe_is_taken_where_none_is_named(make_project: Callable[..., Path]) -> None:
    folder = make_project()
    text = (folder / "edgekit.toml").read_text()
    (folder / "edgekit.toml").write_text(text[: text.index("[[steps]]")])
    assert recipe_of(load_project(folder)).name == RECOMMENDED


def test_a_recipe_may_be_a_file_of_the_project(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('[[steps]]\nuse = "export"\n')
    assert [each.step.name() for each in find_recipe("mine.toml", tmp_path).steps] == ["export"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no [[steps]]"),
        ("steps = 3", "has no [[steps]]"),
        ("[[step]]\nuse = 'export'", "unknown key 'step'"),
        ("[[steps]]\nname = 'export'", "'use' is missing"),
        ("[[steps]]\nuse = 'export'\nrole = 'techer'", "no role 'techer'"),
        ("[[steps]]\nuse = 'exprt'", "no step 'exprt'"),
    ],
)
def test_a_wrong_recipe_is_told(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(RecipeError) as raised:
        find_recipe("mine.toml", tmp_path)
    assert told in raised.value.message


def test_an_unknown_recipe_brings_the_nearest() -> None:
    with pytest.raises(RecipeError) as raised:
        find_recipe("distil-prune-in8", Path())
    assert raised.value.hint == "did you mean 'distil-prune-int8'?"


def weighted(folder: Path, steps: str) -> Project:
    """The tiny project with declared weights for its teacher, and these steps."""
    text = (folder / "edgekit.toml").read_text().replace("[data]", 'teacher_weights = "t.safetensors"\n\n[data]')
    (folder / "edgekit.toml").write_text(text[: text.index("[[steps]]")] + steps)
    (folder / "t.safetensors").touch()
    return load_project(folder)


def test_a_named_recipe_loads_declared_weights_instead_of_training(make_project: Callable[..., Path]) -> None:
    recipe = recipe_of(weighted(make_project(), ""))
    assert [each.step.name() for each in recipe.steps[:2]] == ["load", "distill"]
    assert recipe.steps[0].role is Role.TEACHER


def test_declared_weights_that_no_step_loads_are_told(make_project: Callable[..., Path]) -> None:
    with pytest.raises(RecipeError, match="names teacher_weights, and no step loads them"):
        recipe_of(weighted(make_project(), '[[steps]]\nuse = "train"\nrole = "teacher"\n'))
