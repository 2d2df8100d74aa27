import pytest

from edgekit.errors import RecipeError, StudyError
from edgekit.planning.recipe import Recipe, find_recipe
from edgekit.planning.words import recipe_in_words
from edgekit.project.project import Project
from edgekit.studies.arms import Swap, ablation_arms, arms_of, order_arms, pair_arms
from tests.conftest import FileProject

WHOLE = recipe_in_words("train teacher; distill epochs=7; prune epochs=3; export; simplify; quantize; fuse")


def labels(recipe: Recipe) -> list[str]:
    return [each.label for each in recipe.steps]


def epochs(recipe: Recipe) -> list[int]:
    return [each.step.options()["epochs"] for each in recipe.steps if "epochs" in each.step.options()]


def test_a_pair_stands_in_both_orders_after_training_with_and_without_fine_tuning(tiny: Project) -> None:
    found = pair_arms(tiny, WHOLE, "quantize-weights bits=3, sparsify epochs=4")
    assert [labels(each) for each in found.recipes] == [
        ["train teacher", "distill", "quantize-weights", "sparsify"],
        ["train teacher", "distill", "sparsify", "quantize-weights"],
    ] * 2
    assert [epochs(each)[2:] for each in found.recipes] == [[0, 0], [0, 0], [4, 4], [4, 4]]
    assert {each.steps[2].step.options().get("bits", 3) for each in found.recipes} == {3}
    names = [each.name for each in found.recipes]
    assert names[0] == "quantize-weights then sparsify, not fine-tuned" and names[3].endswith(", fine-tuned")
    assert [(each.arm, each.other) for each in found.swaps] == [(names[0], names[1]), (names[2], names[3])]


def test_what_a_pair_does_not_say_is_as_the_recipe_has_it(tiny: Project) -> None:
    recipe = recipe_in_words("train; prune ratio=0.3 epochs=2 units=channels; sparsify sparsity=0.2; export")
    found = pair_arms(tiny, recipe, "prune ratio=0.4,sparsify").recipes[-1]
    sparsify, prune = (each.step.options() for each in found.steps[-2:])
    assert (prune["ratio"], prune["units"], prune["epochs"]) == (0.4, "channels", 2)
    assert (sparsify["sparsity"], sparsify["epochs"]) == (0.2, 30)


def test_steps_that_always_train_are_compared_as_they_are_and_as_integers(tiny: Project) -> None:
    found = pair_arms(tiny, WHOLE, "qat, sparsify")
    assert [labels(each)[2:] for each in found.recipes] == [
        ["qat", "sparsify", "export", "simplify", "quantize"],
        ["sparsify", "qat", "export", "simplify", "quantize"],
    ]


def test_a_teachers_pair_comes_after_the_teachers_training(tiny: Project) -> None:
    found = pair_arms(tiny, WHOLE, "quantize-weights teacher, sparsify teacher")
    assert labels(found.recipes[0])[-2:] == ["quantize-weights teacher", "sparsify teacher"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("prune", "names 1 steps"),
        ("prune,sparsify,qat", "names 3 steps"),
        ("prune,prune", "names the same step twice"),
        ("prune,quantize", "have one order only: step 6 prune takes"),
        ("distill,prune", "have one order only: step 2 prune takes"),
    ],
)
def test_a_pair_that_compares_nothing_is_reported(tiny: Project, words: str, told: str) -> None:
    with pytest.raises(StudyError) as caught:
        pair_arms(tiny, WHOLE, words)
    assert told in caught.value.message and "give " in caught.value.hint


@pytest.mark.parametrize("words", ["", "prune,", "prune,sparsfy", "prune,sparsify sparsity=2", "prune,sparsify 0.5"])
def test_words_that_are_no_steps_are_reported(tiny: Project, words: str) -> None:
    with pytest.raises(RecipeError, match="--pair"):
        pair_arms(tiny, WHOLE, words)


def test_every_order_that_the_contracts_allow(tiny: Project) -> None:
    recipe = recipe_in_words("train; prune; sparsify; qat; export; simplify; quantize")
    found = order_arms(tiny, recipe)
    assert found.recipes[0] == recipe
    assert len(found.recipes) == 6 and len(found.impossible) == 18, "quantize works on files"
    assert all(each.steps[0].label == "train" and each.steps[-1].label == "quantize" for each in found.recipes)
    # Six orders of three techniques lie on a ring: each can be had from two others by one swap of neighbours.
    assert len(found.swaps) == 6
    for each in found.swaps:
        one, other = (next(arm for arm in found.recipes if arm.name == name) for name in (each.arm, each.other))
        at = one.steps.index(each.first)
        assert one.steps[at + 1] == each.then == other.steps[at] and other.steps[at + 1] == each.first


def test_one_order_is_no_study(tiny: Project) -> None:
    with pytest.raises(StudyError, match="have one order only") as caught:
        order_arms(tiny, WHOLE)
    assert "--ablate" in caught.value.hint
    with pytest.raises(StudyError, match="has 5 techniques"):
        order_arms(tiny, recipe_in_words("train; prune; sparsify; qat; quantize-weights; export; simplify; quantize"))


def test_each_technique_is_left_out_in_turn(tiny: Project) -> None:
    found = ablation_arms(tiny, WHOLE)
    assert [each.step.label for each in found.omissions] == ["distill", "prune", "quantize"]
    assert found.whole == WHOLE.name and found.recipes[0] == WHOLE
    assert labels(found.recipes[1])[:3] == ["train teacher", "train", "prune"] and epochs(found.recipes[1])[1] == 7
    assert "prune" not in labels(found.recipes[2]) and "quantize" not in labels(found.recipes[3])
    assert not found.impossible


def test_what_works_on_integers_alone_goes_with_them(tiny: Project) -> None:
    found = ablation_arms(tiny, find_recipe("distil-qat-int8", tiny.root))
    assert labels(found.recipes[-1]) == ["train teacher", "distill", "qat", "export", "simplify", "fuse"]


def test_a_recipe_without_techniques_has_nothing_to_leave_out(tiny: Project) -> None:
    with pytest.raises(StudyError, match="no technique that can be left out"):
        ablation_arms(tiny, recipe_in_words("train; export"))


def test_all_that_is_asked_for_is_run_once(tiny: Project) -> None:
    recipe = find_recipe("distil-qat-int8", tiny.root)
    alone = arms_of(tiny, recipe, [], orders=False, ablate=False)
    assert alone.recipes == (recipe,) and alone.whole == recipe.name
    both = arms_of(tiny, recipe, ["prune,sparsify"], orders=False, ablate=True)
    names = [each.name for each in both.recipes]
    assert len(names) == len(set(names)) == 4 + 4 and len(both.omissions) == 3
    assert all(isinstance(each, Swap) for each in both.swaps)


def test_a_project_that_trains_nothing_is_reported(file_project: FileProject) -> None:
    project = file_project({"x": ("batch", 3)}, calibration="samples")
    with pytest.raises(StudyError, match="starts from an ONNX file"):
        arms_of(project, recipe_in_words("simplify; quantize; fuse"), [], orders=False, ablate=True)


def test_each_technique_of_a_pair_is_also_run_alone(tiny: Project) -> None:
    found = pair_arms(tiny, WHOLE, "quantize-weights,sparsify")
    base, *single = found.preliminary
    assert labels(base) == ["train teacher", "distill"]
    assert [labels(each)[2:] for each in single] == [["quantize-weights"], ["sparsify"]] * 2
    assert [each.arm for each in found.alone] == [each.name for each in single]
    assert {each.base for each in found.alone} == {base.name}
    assert [each.alone for each in found.swaps] == [
        (single[0].name, single[1].name),
        (single[2].name, single[3].name),
    ]


def test_each_technique_of_a_recipe_is_also_run_alone(tiny: Project) -> None:
    recipe = recipe_in_words("train teacher; distill epochs=7; prune; sparsify; export; simplify; quantize")
    found = order_arms(tiny, recipe)
    assert [each.name for each in found.preliminary] == [
        "no technique", "distill alone", "prune alone", "sparsify alone", "quantize alone",
    ]  # fmt: skip
    base, distilled, pruned, *_ = found.preliminary
    assert labels(base) == ["train teacher", "train", "export", "simplify"] and epochs(base)[1] == 7
    assert labels(distilled)[1] == "distill" and labels(pruned)[1:3] == ["train", "prune"]
    assert all(each.alone and len(set(each.alone)) == 2 for each in found.swaps)


def test_steps_of_the_same_name_are_told_apart(tiny: Project) -> None:
    """Arms are known by their names: two orders of the same name were compared with themselves, and were equivalent."""
    pair = pair_arms(tiny, WHOLE, "sparsify sparsity=0.3,sparsify sparsity=0.6")
    assert [each.name.partition(",")[0] for each in pair.recipes[:2]] == [
        "sparsify (1) then sparsify (2)", "sparsify (2) then sparsify (1)",
    ]  # fmt: skip
    assert all(each.arm != each.other and each.alone and len(set(each.alone)) == 2 for each in pair.swaps)
    twice = recipe_in_words("train; prune ratio=0.3; sparsify; prune ratio=0.5; export")
    for found in (order_arms(tiny, twice), ablation_arms(tiny, twice)):
        names = [each.name for each in (*found.preliminary, *found.recipes)]
        assert len(names) == len(set(names))
    assert "without prune (4)" in [each.name for each in ablation_arms(tiny, twice).recipes]
    alike = order_arms(tiny, recipe_in_words("train; prune; sparsify; prune; export"))
    assert len(alike.recipes) == 3, "the order of two equal steps makes no difference"
