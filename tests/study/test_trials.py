import pytest

from edgekit.errors import PlanError
from edgekit.planning.recipe import recipe_from
from edgekit.progress import Silent
from edgekit.project.project import Project
from edgekit.study.trials import difference, tried
from edgekit.target import find_target

RPI4 = find_target("rpi4")
TRAIN = {"use": "train", "epochs": 2}


def test_recipes_are_compared_over_seeds_and_share_what_they_have_in_common(tiny: Project) -> None:
    recipes = [
        recipe_from("trained", [TRAIN], "trained"),
        recipe_from("rounded", [TRAIN, {"use": "quantize-weights", "bits": 2, "granularity": "tensor"}], "rounded"),
    ]
    trained, rounded = tried(tiny, recipes, [0, 1], RPI4, Silent())
    assert [run[0].cached for run in trained.runs] == [False, False]
    assert [run[0].cached for run in rounded.runs] == [True, True], "the same first step"
    assert rounded.values_at(0) == trained.values and len(rounded.values) == 2
    apart = difference(trained, rounded)
    assert apart.mean == pytest.approx(trained.mean().mean - rounded.mean().mean)
    assert apart.low is not None and apart.high is not None and apart.low <= apart.mean <= apart.high
    assert difference(trained, trained).mean == 0


def test_an_order_that_is_impossible_is_told_before_anything_runs(tiny: Project) -> None:
    recipe = recipe_from("backwards", [{"use": "export"}, {"use": "prune"}], "backwards")
    with pytest.raises(PlanError, match="'backwards': step 2 prune works on"):
        tried(tiny, [recipe], [0], RPI4, Silent())
    assert not list(tiny.cache_folder.glob("*/*/record.json"))
