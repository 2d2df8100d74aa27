from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.deprecation import RenamedWarning
from edgekit.errors import ProjectError, RecipeError
from edgekit.planning.recipe import (
    RECOMMENDED,
    find_recipe,
    recipe_of,
    recipes_of,
    shipped_recipes,
    with_float_operators,
)
from edgekit.project.project import Project, load_project
from edgekit.pruning.share import PrunableUnits
from edgekit.steps.mixed_precision import MixedPrecision
from edgekit.steps.prune import Prune
from edgekit.survey.survey import Survey
from edgekit.traits import Role
from tests.conftest import FileProject

CNN = Survey("cnn", 1000, (16, 32), batch_norms=True)
PRUNED = ["distil-prune-int8", "distil-prune-int8-conv-matmul", "distil-prune-float"]
DYNAMIC = ["distil-int8-dynamic", "distil-int8-dynamic-blocks", "distil-float"]


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
def test_a_wrong_recipe_is_reported(tmp_path: Path, text: str, told: str) -> None:
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


def test_declared_weights_that_no_step_loads_are_reported(make_project: Callable[..., Path]) -> None:
    with pytest.raises(RecipeError, match="has teacher_weights, but no step loads them"):
        recipe_of(weighted(make_project(), '[[steps]]\nuse = "train"\nrole = "teacher"\n'))


def test_declared_weights_that_a_named_recipe_leaves_are_reported(make_project: Callable[..., Path]) -> None:
    folder = make_project({'student = "model:student"': 'student = "model:student"\nstudent_weights = "s.pt"'})
    text = (folder / "edgekit.toml").read_text()
    (folder / "edgekit.toml").write_text(text[: text.index("[[steps]]")])
    (folder / "s.pt").touch()
    with pytest.raises(RecipeError, match="'distil-prune-int8' does not train the student: no step loads them"):
        recipe_of(load_project(folder))


def test_weights_to_load_that_are_not_declared_are_reported(make_project: Callable[..., Path]) -> None:
    folder = make_project({"seed = 0": 'seed = 0\nrecipe = "mine.toml"'})
    (folder / "mine.toml").write_text('[[steps]]\nuse = "load"\n[[steps]]\nuse = "export"\n')
    for project in (named(folder, ""), named(make_project(name="own"), '[[steps]]\nuse = "load"\n')):
        with pytest.raises(RecipeError, match="step 1 loads the student") as raised:
            recipe_of(project)
        assert "student_weights" in raised.value.hint


def named(folder: Path, text: str) -> Project:
    """The tiny project with a named recipe in the place of its steps."""
    whole = (folder / "edgekit.toml").read_text()
    (folder / "edgekit.toml").write_text(whole[: whole.index("[[steps]]")] + text)
    return load_project(folder)


def test_options_of_a_named_recipe_change_its_steps_and_nothing_else(make_project: Callable[..., Path]) -> None:
    project = named(make_project({"seed = 0": 'seed = 0\nrecipe = "distil-int8"'}), "[options.distill]\nepochs = 5\n")
    shipped, changed = find_recipe("distil-int8", Path()), recipe_of(project)
    assert changed.name == "distil-int8"
    differing = [new for old, new in zip(shipped.steps, changed.steps, strict=True) if old != new]
    assert [(each.step.name(), each.step.options()["epochs"]) for each in differing] == [("distill", 5)]


def test_options_of_one_role_come_on_top_of_those_of_the_step(
    make_project: Callable[..., Path],
) -> None:
    folder = make_project({"seed = 0": 'seed = 0\nrecipe = "mine.toml"'})
    (folder / "mine.toml").write_text(
        '[[steps]]\nuse = "train"\nrole = "teacher"\n[[steps]]\nuse = "train"\nlearning_rate = 0.5\n'
        '[[steps]]\nuse = "export"\n'
    )
    project = named(folder, "[options.train]\nepochs = 5\nweight_decay = 0.0\n[options.train.teacher]\nepochs = 9\n")
    teacher, student = (each.step.options() for each in recipe_of(project).steps[:2])
    assert (teacher["epochs"], teacher["weight_decay"]) == (9, 0.0)
    assert (student["epochs"], student["weight_decay"], student["learning_rate"]) == (5, 0.0, 0.5)


def test_the_recommended_recipe_takes_options_too(make_project: Callable[..., Path]) -> None:
    recipe = recipe_of(named(make_project(), "[options.prune]\nratio = 0.4\n"))
    assert [each.step.options()["ratio"] for each in recipe.steps if each.step.name() == "prune"] == [0.4]


@pytest.mark.parametrize(
    ("options", "told", "hint"),
    [
        ("[options.trian]\nepochs = 5", "[options.trian], but recipe 'distil-prune-int8' has no step", "'train'"),
        ("[options.sparsify]\nepochs = 5", "has no step 'sparsify'", ""),
        ("[options.train.student]\nepochs = 5", "[options.train.student]", "set [options.train] instead"),
        ("[options.prune.teacher]\nratio = 0.5", "has no step 'prune teacher'", "set [options.prune] instead"),
        ("[options.prune]\nrato = 0.5", "[options.prune]: step 'prune' has no option 'rato'", "'ratio'"),
        ("[options.prune]\nratio = 1.5", "[options.prune], step 'prune': 'ratio' is 1.5", "correct"),
    ],
)
def test_options_that_would_change_nothing_are_reported(
    make_project: Callable[..., Path], options: str, told: str, hint: str
) -> None:
    with pytest.raises(RecipeError) as raised:
        recipe_of(named(make_project(), options))
    assert told in raised.value.message and hint in raised.value.hint


def test_options_of_training_where_weights_are_loaded_are_reported(make_project: Callable[..., Path]) -> None:
    with pytest.raises(RecipeError, match=r"\[options\.train\]") as raised:
        recipe_of(weighted(make_project(), "[options.train]\nepochs = 5\n"))
    assert "loaded, not trained" in raised.value.hint


def test_options_beside_steps_and_options_that_are_no_tables_are_reported(make_project: Callable[..., Path]) -> None:
    with pytest.raises(ProjectError, match=r"both \[\[steps\]\] and \[options\.train\]"):
        load_project(make_project({"[budgets]": "[options.train]\nepochs = 1\n\n[budgets]"}))
    with pytest.raises(ProjectError, match=r"'options\.\*' is \{'train': 5\}: expected table, got int"):
        named(make_project(name="other"), "[options]\ntrain = 5\n")


def test_what_may_stand_in_for_the_recommended_recipe(file_project: FileProject) -> None:
    project = file_project({"x": ("batch", 3)})
    assert [each.name for each in recipes_of(project)] == ["int8", "int8-conv-matmul", "float"]
    assert [each.name for each in recipes_of(project.copy_with(recipe="int8"))] == ["int8"]
    result = project.copy_with(options={"quantize": {"calibration": "entropy"}})
    calibrations = [[getattr(step.step, "calibration", None) for step in each.steps] for each in recipes_of(result)]
    assert calibrations == [[None, "entropy", None, None], [None, "entropy", None, None], [None, None]]


@pytest.mark.parametrize(
    ("student", "names"),
    [
        (CNN, PRUNED),
        (replace(CNN, architecture="other"), PRUNED),
        (None, PRUNED),
        (replace(CNN, architecture="transformer"), DYNAMIC),
        (replace(CNN, prunable=PrunableUnits({}, {}, {})), ["distil-int8", "distil-int8-conv-matmul", "distil-float"]),
    ],
    ids=["cnn", "other", "unknown", "transformer", "not prunable"],
)
def test_a_trained_model_has_a_recommended_recipe_and_fallbacks_by_its_student(
    tiny: Project, student: Survey | None, names: list[str]
) -> None:
    bare = tiny.copy_with(steps=())
    found = recipes_of(bare, student)
    assert [each.name for each in found] == names
    exports = [[one.step.name() for one in each.steps].index("export") + 1 for each in found]
    trained = {tuple(each.steps[:count]) for each, count in zip(found, exports, strict=True)}
    assert len(trained) == 1, "they differ after the export alone, so that nothing is trained again"
    assert [each.name for each in recipes_of(bare.copy_with(recipe="distil-int8"), student)] == ["distil-int8"]


def test_float_operators_are_set_in_the_step_that_chooses_them(make_project: Callable[..., Path]) -> None:
    folder = make_project()
    tiny = load_project(folder)
    with pytest.raises(RecipeError, match="no step mixed-precision"):
        with_float_operators(tiny, ["a"])
    own = tiny.copy_with(steps=(*tiny.steps[:-1], {"use": "mixed-precision"}, tiny.steps[-1]))
    assert MixedPrecision(floats=("a",)) in [each.step for each in recipe_of(with_float_operators(own, ["a"])).steps]
    text = (folder / "edgekit.toml").read_text()
    (folder / "edgekit.toml").write_text(text[: text.index("[[steps]]")])
    named = with_float_operators(load_project(folder), [])
    assert MixedPrecision(floats=()) in [each.step for each in recipe_of(named).steps]


def test_former_step_names_are_accepted_with_a_warning(make_project: Callable[..., Path]) -> None:
    folder = make_project()
    tiny = load_project(folder)
    own = tiny.copy_with(steps=(*tiny.steps[:-1], {"use": "place"}, tiny.steps[-1]))
    with pytest.warns(RenamedWarning, match="'place' is now called 'mixed-precision'"):
        assert MixedPrecision() in [each.step for each in recipe_of(own).steps]
    with pytest.warns(RenamedWarning):
        steps = [each.step for each in recipe_of(with_float_operators(own, ["a"])).steps]
    assert MixedPrecision(floats=("a",)) in steps
    text = (folder / "edgekit.toml").read_text()
    (folder / "edgekit.toml").write_text(text[: text.index("[[steps]]")] + '[options.place]\nfloats = "none"\n')
    with pytest.warns(RenamedWarning, match=r"\[options\]: 'place' is now called 'mixed-precision'"):
        assert MixedPrecision(floats="none") in [each.step for each in recipe_of(load_project(folder)).steps]


def test_the_former_name_of_a_recipe_is_accepted_with_a_warning(tmp_path: Path) -> None:
    with pytest.warns(RenamedWarning, match="'int8-products' is now called 'int8-conv-matmul'"):
        assert find_recipe("int8-products", tmp_path) == find_recipe("int8-conv-matmul", tmp_path)


def test_the_former_key_otherwise_names_the_fallback(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('otherwise = "float"\n[[steps]]\nuse = "export"\n')
    with pytest.warns(RenamedWarning, match="'otherwise' is now called 'fallback'"):
        assert find_recipe("mine.toml", tmp_path).fallback == "float"
    mine.write_text('fallback = "int8"\notherwise = "float"\n[[steps]]\nuse = "export"\n')
    with pytest.raises(RecipeError, match="unknown key 'otherwise'"):
        find_recipe("mine.toml", tmp_path)
