"""benchmarks/ordering.py: its arms can be run, its questions are about them, and the table says what it measured."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

from ordering_arms import BUDGETS, Arms, arms
from ordering_rows import RESULTS, evidence

from edgekit.contract.step import Step
from edgekit.planning.interactions import PairVerdict, shipped_interactions
from edgekit.planning.plan import walk_recipe
from edgekit.planning.recipe import Recipe, recipe_from
from edgekit.traits import MODULE_ENTRY, Role

PLANNED: Arms = arms(BUDGETS["digits"])
RECIPES: dict[str, Recipe] = {
    name: recipe_from(name, steps, name)
    for tables in (PLANNED.recipes, *PLANNED.narrow.values())
    for name, steps in tables.items()
}


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_arm_can_be_run(name: str) -> None:
    assert walk_recipe(RECIPES[name], frozenset(Role), MODULE_ENTRY).obstacles == ()


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
    values = {
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
    (code, line), (other, again) = evidence(values)
    assert (code, other) == ("EK101", "EK102") and line == again
    assert line["source"] == "benchmarks/ordering.py, digits, 5 seeds"
    assert line["says"] == "a: 90.12 %; b: 95.00 %" and line["points"] == [-4.88, -6, -3.33]


def test_the_table_has_what_was_measured() -> None:
    """After a new measurement: python benchmarks/ordering_rows.py"""
    items = [json.loads((RESULTS / f"ordering_{example}.json").read_text()) for example in BUDGETS]
    found = {(code, line["source"], line["question"]): line for each in items for code, line in evidence(each)}
    held = {(row.code, each.source, each.question): each for row in shipped_interactions() for each in row.evidence}
    held = {key: each for key, each in held.items() if each.question}
    assert held.keys() == found.keys() and found
    for key, line in found.items():
        assert (held[key].says, list(held[key].points or ())) == (line["says"], line["points"])


def test_a_poor_verdict_that_no_measurement_bears_out_says_so() -> None:
    for row in shipped_interactions():
        highs = [each.points[2] for each in row.evidence if each.points]
        if row.verdict is PairVerdict.POOR and highs and min(highs) >= 0:
            assert "no difference" in row.why, row.code
