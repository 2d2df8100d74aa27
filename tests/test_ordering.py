"""benchmarks/ordering.py: its arms can be run, its questions are about them, and the table says what it measured."""

import json
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

from ordering_arms import BUDGETS, Arms, arms
from ordering_rows import RESULTS, evidence

from edgekit.contract.step import Step
from edgekit.figures.conclusions import MARGIN, Conclusion, conclusion_on
from edgekit.figures.intervals import Interval
from edgekit.planning.interactions import Interaction, PairVerdict, Severity, shipped_interactions
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


ROWS = pytest.mark.parametrize("row", shipped_interactions(), ids=lambda row: row.code)


def asked(row: Interaction) -> list[tuple[str, str, Conclusion]]:
    """What was measured of a row's case against its alternative: example, question and conclusion. Ablations are left
    out, since what a compression costs is no matter of order."""
    found = []
    for example in BUDGETS:
        for each in json.loads((RESULTS / f"ordering_{example}.json").read_text())["comparisons"]:
            points = Interval(each["mean"], each["low"], each["high"])
            assert each["conclusion"] == conclusion_on(points, MARGIN)
            if row.code in each["codes"] and not each["question"].startswith("ablation"):
                found.append((example, each["question"], conclusion_on(points, MARGIN)))
    return found


@ROWS
def test_the_severity_of_each_row_follows_from_the_results(row: Interaction) -> None:
    large = {
        example
        for example in BUDGETS
        for each in json.loads((RESULTS / f"ordering_{example}.json").read_text())["comparisons"]
        if row.code in each["codes"] and not each["question"].startswith("ablation") and each["high"] <= -MARGIN
    }
    if large:
        assert row.verdict is PairVerdict.POOR, "a large loss was measured"
    if row.severity is Severity.ERROR and not row.breaks:
        elsewhere = {each.source for each in row.evidence if each.is_large_loss and not each.question}
        assert len(large) + len(elsewhere) >= 2
    elif row.verdict is PairVerdict.POOR and not row.breaks:
        assert len(large) < 2


@ROWS
def test_a_poor_verdict_that_a_measurement_does_not_bear_out_says_so(row: Interaction) -> None:
    spared = [each for each in asked(row) if each[2] is not Conclusion.WORSE]
    if row.verdict is PairVerdict.POOR and spared:
        assert "undecided" in row.limits or "equivalent" in row.limits, spared


@ROWS
def test_a_good_verdict_is_contradicted_by_no_measurement(row: Interaction) -> None:
    if row.verdict is PairVerdict.GOOD:
        assert Conclusion.WORSE not in {each[2] for each in asked(row)}


@ROWS
def test_points_in_the_words_of_a_row_are_measured_ones(row: Interaction) -> None:
    results = [json.loads((RESULTS / f"ordering_{example}.json").read_text()) for example in BUDGETS]
    measured = {
        f"{abs(each[end]):.2f}"
        for result in results
        for each in result["comparisons"]
        for end in ("mean", "low", "high")
    }
    ranks = {
        f"{each['rank_correlation']:.2f}" for result in results for each in result["mechanism"]["Q4 tensor then P50"]
    }
    published = {number for each in row.evidence for number in re.findall(r"\d+\.\d\d\b", each.says)}
    assert set(re.findall(r"\d+\.\d\d\b", f"{row.why} {row.limits}")) <= measured | ranks | published
