import json
from pathlib import Path
from typing import Any

import pytest

from edgekit.errors import EvidenceError
from edgekit.planning.interactions import Severity, Verdict, shipped_interactions
from edgekit.planning.lint import Judgement, linted, surroundings_of
from edgekit.planning.recipe import recipe_from
from edgekit.project.project import Project
from edgekit.study.evidence import SCHEMA, judged_by, load_study, subject_of, verdict_of
from edgekit.study.intervals import Interval

STEPS = [
    {"use": "train", "epochs": 5},
    {"use": "quantize-weights", "bits": 8},
    {"use": "sparsify", "epochs": 5},
    {"use": "export"},
]


def judgement(project: Project) -> Judgement:
    return linted(recipe_from("r", STEPS, "r"), surroundings_of(project, None), shipped_interactions())


def study(project: Project, judged: Judgement, **changed: Any) -> Path:
    """A study's file about steps 2 and 3 of the recipe: this order is worse by 5 points."""
    first, then = (
        {"use": each.step.name(), "role": each.role, "options": each.step.options()}
        for each in judged.walked.steps[1:3]
    )
    told = {
        "schema": SCHEMA,
        "subject": subject_of(project),
        "seeds": [0, 1, 2],
        "unit": "%",
        "orders": [
            {"first": first, "then": then, "points": {"mean": -5.0, "low": -7.0, "high": -3.0}, "verdict": "poor"}
        ],
        "ablations": [
            {
                "step": then,
                "points": {"mean": 0.0, "low": -1.0, "high": 1.0},
                "bytes_with": 100,
                "bytes_without": 100,
                "latency_ratio": None,
            }
        ],
        **changed,
    }
    path = project.root / "study.json"
    path.write_text(json.dumps(told))
    return path


def test_a_measured_pair_is_judged_by_the_measurement(tiny: Project) -> None:
    before = judgement(tiny)
    table = next(each for each in before.findings if each.code == "EK103")
    assert table.severity is Severity.INFO
    after = judged_by(before, load_study(study(tiny, before), tiny))
    own = next(each for each in after.findings if each.code == "EK103")
    assert own.severity is Severity.ERROR and own.verdict is Verdict.POOR
    assert "-5.00 (-7.00 to -3.00) % over 3 seeds" in own.evidence[0].says
    assert own.evidence[1:] == table.evidence, "the table's own evidence stands beside it"


def test_a_step_that_adds_nothing_is_told(tiny: Project) -> None:
    before = judgement(tiny)
    after = judged_by(before, load_study(study(tiny, before), tiny))
    assert [each.step for each in after.findings if each.code == "EK191"] == [2]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"schema": 99}, "schema 99"),
        ({"orders": 3}, "is no study"),
        ({"subject": {"student": "another"}}, "measured another model"),
    ],
)
def test_a_study_that_cannot_be_used_is_told(tiny: Project, changed: dict[str, Any], told: str) -> None:
    with pytest.raises(EvidenceError, match=told):
        load_study(study(tiny, judgement(tiny), **changed), tiny)


def test_a_file_that_is_no_study_is_told(tiny: Project) -> None:
    for content in ("", "[]", "{}", "nonsense"):
        (tiny.root / "study.json").write_text(content)
        with pytest.raises(EvidenceError):
            load_study(tiny.root / "study.json", tiny)
    with pytest.raises(EvidenceError, match="cannot be read"):
        load_study(tiny.root / "absent.json", tiny)


@pytest.mark.parametrize(
    ("points", "verdict"),
    [
        (Interval(-5, -7, -3), "poor"),
        (Interval(-0.5, -0.7, -0.3), "moderate"),
        (Interval(-5, -11, 1), "moderate"),
        (Interval(2, 1, 3), "good"),
        (Interval(-5, None, None), "moderate"),
    ],
)
def test_only_a_large_loss_that_is_certain_is_poor(points: Interval, verdict: str) -> None:
    assert verdict_of(points, "%", 90) == verdict
