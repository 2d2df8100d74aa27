import json
from pathlib import Path
from typing import Any

import pytest

from edgekit.errors import EvidenceError
from edgekit.planning.advice import advise
from edgekit.planning.interactions import PairVerdict, Severity, shipped_interactions
from edgekit.planning.lint import LintResult, lint, planning_context
from edgekit.planning.recipe import recipe_from
from edgekit.project.project import Project
from edgekit.studies.evidence import Measurements, load_study
from edgekit.studies.results import SCHEMA, step_record, subject_of

STEPS = [
    {"use": "train", "epochs": 5},
    {"use": "quantize-weights", "bits": 8},
    {"use": "sparsify", "epochs": 5},
    {"use": "export"},
]


def judgement(project: Project) -> LintResult:
    return lint(recipe_from("r", STEPS, "r"), planning_context(project, None), shipped_interactions())


def both_orders(first: dict[str, Any], then: dict[str, Any]) -> list[dict[str, Any]]:
    worse, better = {"mean": -5.0, "low": -7.0, "high": -3.0}, {"mean": 5.0, "low": 3.0, "high": 7.0}
    return [
        {"first": first, "then": then, "arm": "a", "other": "b", "points": worse, "verdict": "poor"},
        {"first": then, "then": first, "arm": "b", "other": "a", "points": better, "verdict": "good"},
    ]


def study(project: Project, judged: LintResult, **changed: Any) -> Path:
    """A study's file about steps 2 and 3 of the recipe: this order is worse by 5 points, and step 3 adds nothing."""
    steps = [step_record(each).to_json() for each in judged.recipe.steps]
    first, then = steps[1:3]
    values = {
        "schema": SCHEMA,
        "project": project.name,
        "subject": subject_of(project),
        "target": "rpi4",
        "host": "a CPU",
        "data": "",
        "fidelity": "native",
        "seeds": [0, 1, 2],
        "left_out": [],
        "unit": "%",
        "interval": "95 %",
        "arms": [{"name": "r", "stages": [{"step": each, "values": [], "metric": None} for each in steps], "bytes": 9}],
        "orders": both_orders(first, then),
        "whole": "r",
        "ablations": [
            {
                "step": then,
                "arm": "c",
                "points": {"mean": 0.0, "low": -1.0, "high": 1.0},
                "bytes_with": 100,
                "bytes_without": 100,
                "latency": None,
            }
        ],
        "impossible": [],
        **changed,
    }
    path = project.root / "study.json"
    path.write_text(json.dumps(values))
    return path


def test_a_measured_pair_is_judged_by_the_measurement(tiny: Project) -> None:
    before = judgement(tiny)
    table = next(each for each in before.findings if each.code == "EK103")
    assert table.severity is Severity.INFO
    after = Measurements(load_study(study(tiny, before), tiny), "study.json").revise(before)
    own = next(each for each in after.findings if each.code == "EK103")
    assert own.severity is Severity.ERROR and own.verdict is PairVerdict.POOR
    assert "-5.00 (-7.00 to -3.00) % over 3 seeds" in own.evidence[0].says
    assert own.evidence[1:] == table.evidence, "the table's own evidence stands beside it"


def test_a_step_that_adds_nothing_is_reported(tiny: Project) -> None:
    before = judgement(tiny)
    after = Measurements(load_study(study(tiny, before), tiny), "study.json").revise(before)
    assert [each.step for each in after.findings if each.code == "EK191"] == [2]
    other = lint(recipe_from("r", STEPS[:3], "r"), planning_context(tiny, None), shipped_interactions())
    again = Measurements(load_study(tiny.root / "study.json", tiny), "study.json").revise(other)
    assert not [each for each in again.findings if each.code == "EK191"], "of another recipe it says nothing"


def test_what_was_measured_decides_which_order_is_proposed(tiny: Project) -> None:
    """The table calls pruning before rounding good; the study says the contrary."""
    steps = ["train", "prune", "qat", "export", "simplify", "quantize"]
    recipe = recipe_from("r", [{"use": each} for each in steps], "r")
    table, known = shipped_interactions(), planning_context(tiny, None)
    by_table = advise(lint(recipe, known, table), known, table)
    assert by_table.primary is None
    first, then = (step_record(each).to_json() for each in recipe.steps[1:3])
    path = study(tiny, judgement(tiny), orders=both_orders(first, then), ablations=[])
    measured = known.copy_with(measured=Measurements(load_study(path, tiny), "study.json"))
    judged = lint(recipe, measured, table)
    assert [(each.code, each.step, each.other) for each in judged.errors] == [("EK104", 1, 2)]
    proposal = advise(judged, measured, table).proposal.judgement
    assert [each.label for each in proposal.recipe.steps[1:3]] == ["qat", "prune"] and not proposal.errors
    assert [one.source for each in proposal.sound for one in each.evidence if one.source == "study.json"] == [
        "study.json"
    ] * 1


def test_a_pair_that_the_table_does_not_know_has_a_finding_of_its_own(tiny: Project) -> None:
    before = judgement(tiny)
    train, _, sparsify, _ = (step_record(each).to_json() for each in before.recipe.steps)
    points = {"mean": -5.0, "low": -7.0, "high": -3.0}
    order = {"first": train, "then": sparsify, "arm": "a", "other": "b", "points": points, "verdict": "poor"}
    after = Measurements(load_study(study(tiny, before, orders=[order], ablations=[]), tiny), "study.json").revise(
        before
    )
    (own,) = [each for each in after.findings if each.code == "EK190"]
    assert own.severity is Severity.ERROR and own.remedy is not None and own.remedy.swap


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"schema": 99}, "schema 99"),
        ({"orders": 3}, "'orders' is 3"),
        (
            {"subject": {"student": "another"}},
            "measured another model or other data: its data_files and evaluation and .* differ",
        ),
        ({"more": 1}, "unknown key 'more'"),
    ],
)
def test_a_study_that_cannot_be_used_is_reported(tiny: Project, changed: dict[str, Any], told: str) -> None:
    with pytest.raises(EvidenceError, match=told):
        load_study(study(tiny, judgement(tiny), **changed), tiny)


def test_a_file_that_is_no_study_is_reported(tiny: Project) -> None:
    for content in ("", "[]", "{}", "nonsense"):
        (tiny.root / "study.json").write_text(content)
        with pytest.raises(EvidenceError) as caught:
            load_study(tiny.root / "study.json", tiny)
        assert caught.value.hint == "give the file that edgekit study wrote"
    with pytest.raises(EvidenceError, match="cannot be read"):
        load_study(tiny.root / "absent.json", tiny)
