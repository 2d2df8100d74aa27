"""benchmarks/ordering.py: its arms can be run, its questions are about them, and the table says what it measured."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

from ordering_arms import BUDGETS, Arms, arms
from ordering_rows import evidence

from edgekit.planning.interactions import shipped_interactions
from edgekit.planning.plan import walked
from edgekit.planning.recipe import Recipe, recipe_from
from edgekit.steps.step import Step
from edgekit.traits import MODULE_ENTRY, Role

PLANNED: Arms = arms(BUDGETS["digits"])
RECIPES: dict[str, Recipe] = {
    name: recipe_from(name, steps, name)
    for tables in (PLANNED.recipes, *PLANNED.narrow.values())
    for name, steps in tables.items()
}


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_arm_can_be_run(name: str) -> None:
    assert walked(RECIPES[name], frozenset(Role), MODULE_ENTRY).obstacles == ()


def test_questions_are_about_arms_and_rows_that_are_there() -> None:
    codes = {row.code for row in shipped_interactions()}
    for question in PLANNED.questions:
        assert {question.first, question.second} <= set(RECIPES), question
        assert set(question.codes) <= codes, question
    assert set(PLANNED.pipelines) | set(PLANNED.cascades) <= set(RECIPES)
    texts = [question.text for question in PLANNED.questions]
    assert len(texts) == len(set(texts))


def test_the_pipelines_train_for_as_long() -> None:
    def epochs(name: str) -> int:
        return sum(_epochs(each.step) for each in RECIPES[name].steps if each.role is Role.STUDENT)

    assert {epochs(name) for name in PLANNED.pipelines} == {BUDGETS["digits"].student}


def _epochs(step: Step) -> int:
    return int(step.options().get("epochs", 0))


def test_evidence_is_what_was_measured() -> None:
    told = {
        "example": "digits",
        "seeds": 5,
        "arms": {name: {"stages": [{"metric": {"mean": mean}}]} for name, mean in (("a", 90.123), ("b", 95.0))},
        "comparisons": [
            {
                "question": "q",
                "codes": ["EK101", "EK102"],
                "first": "a",
                "second": "b",
                "mean": -4.877,
                "low": -6,
                "high": -3.333,
            }
        ],
    }
    (code, line), (other, again) = evidence(told)
    assert (code, other) == ("EK101", "EK102") and line == again
    assert line["source"] == "benchmarks/ordering.py, digits, 5 seeds"
    assert line["says"] == "a: 90.12 %; b: 95.00 %" and line["points"] == [-4.88, -6, -3.33]
