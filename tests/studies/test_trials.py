import time

import pytest

from edgekit.errors import PlanError, StudyError
from edgekit.planning.recipe import recipe_from
from edgekit.progress import Silent
from edgekit.project.project import Project
from edgekit.studies.trials import difference, join_trials, run_trials
from edgekit.target_files import find_target

RPI4 = find_target("rpi4")
TRAIN = {"use": "train", "epochs": 2}


def test_recipes_are_compared_over_seeds_and_share_what_they_have_in_common(tiny: Project) -> None:
    recipes = [
        recipe_from("trained", [TRAIN], "trained"),
        recipe_from("rounded", [TRAIN, {"use": "quantize-weights", "bits": 2, "granularity": "tensor"}], "rounded"),
    ]
    trained, rounded = run_trials(tiny, recipes, [0, 1], RPI4, Silent())
    assert [run[0].cached for run in trained.runs] == [False, False]
    assert [run[0].cached for run in rounded.runs] == [True, True], "the same first step"
    assert rounded.values_at(0) == trained.values and len(rounded.values) == 2
    apart = difference(trained, rounded).interval()
    assert apart.mean == pytest.approx(trained.mean().mean - rounded.mean().mean)
    assert apart.low is not None and apart.high is not None and apart.low <= apart.mean <= apart.high
    assert difference(trained, trained).mean == 0
    assert trained.seeds == rounded.seeds == (0, 1)
    apart = [run_trials(tiny, recipes[:1], [seed], RPI4, Silent())[0] for seed in (0, 1)]
    assert join_trials(apart).values == trained.values and join_trials(apart).seeds == trained.seeds


def test_an_order_that_is_impossible_is_told_before_anything_runs(tiny: Project) -> None:
    recipe = recipe_from("backwards", [{"use": "export"}, {"use": "prune"}], "backwards")
    with pytest.raises(PlanError, match="'backwards': step 2 prune takes"):
        run_trials(tiny, [recipe], [0], RPI4, Silent())
    assert not list(tiny.cache_folder.glob("*/*/record.json"))


class Clock(Silent):
    """Time that passes by one second with each epoch, and what was told."""

    def __init__(self) -> None:
        self.now = 0.0
        self.notes: list[str] = []

    def advanced(self, what: str, done: int, total: int, detail: str = "") -> None:
        self.now += 1

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_a_budget_leaves_the_seeds_that_are_through_and_the_next_run_goes_on(
    tiny: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    recipes = [recipe_from(name, [{**TRAIN, "epochs": epochs}], name) for name, epochs in (("two", 2), ("three", 3))]
    with pytest.raises(StudyError, match="before the first seed ended") as caught:
        run_trials(tiny, recipes, [0, 1], RPI4, clock, budget_s=1.5)
    assert "run again to continue" in caught.value.hint
    two, three = run_trials(tiny, recipes, [0, 1], RPI4, clock, budget_s=5.5)
    assert two.seeds == three.seeds == (0,) and len(two.runs) == len(three.scores) == 1
    two, _ = run_trials(tiny, recipes, [0, 1], RPI4, clock)
    assert two.seeds == (0, 1) and two.runs[0][0].cached
    assert clock.now == 10, "every epoch ran once"
    assert "two, seed 0: trial 1 of 2" in clock.notes
    assert any("left" in each for each in clock.notes)
