from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import InteractionsError
from edgekit.planning.interactions import (
    RULES,
    Evidence,
    PairVerdict,
    Severity,
    fits,
    interactions_with,
    load_interactions,
    shipped_interactions,
)

ROW = """
[[interactions]]
code = "{code}"
title = "a title"
{sides}
verdict = "{verdict}"
{severity}
why = "a reason"
fix = "a fix"
{more}
evidence = [{{ kind = "claim", source = "here", says = "so" }}]
"""
PRUNE, QUANTIZE = '{ family = "pruning" }', '{ family = "quantization" }'


def row(code: str, sides: str, verdict: str = "moderate", severity: str = "", more: str = "") -> str:
    return ROW.format(code=code, sides=sides, verdict=verdict, severity=severity, more=more)


def pair(first: str, then: str) -> str:
    return f"first = {first}\nthen = {then}"


def written(folder: Path, *rows: str) -> Path:
    path = folder / "interactions.toml"
    path.write_text("".join(rows))
    return path


def test_every_shipped_row_is_sound_and_says_what_to_do() -> None:
    rows = shipped_interactions()
    assert {each.code for each in rows}.isdisjoint(RULES)
    for each in rows:
        assert each.evidence and each.why.endswith("."), each.code
        assert each.own_severity is None, "the evidence decides"
        if each.verdict is PairVerdict.POOR:
            assert each.severity in (Severity.ERROR, Severity.WARNING) and each.fix


@pytest.mark.parametrize(
    ("first", "then", "verdict"),
    [
        ("quantization", "pruning", PairVerdict.POOR),
        ("pruning", "quantization", PairVerdict.GOOD),
        ("distillation", "pruning", PairVerdict.MODERATE),
        ("quantization", "graph", PairVerdict.GOOD),
        ("pruning", "distillation", PairVerdict.POOR),
    ],
)
def test_the_five_starting_pairs_are_there(first: str, then: str, verdict: PairVerdict) -> None:
    pairs = [each for each in shipped_interactions() if each.families[:1] == (frozenset({first}),)]
    assert any(each.verdict is verdict and frozenset({then}) in each.families[1:] for each in pairs)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is missing"),
        ("[[rows]]\na = 1\n", "is missing"),
        ("[[interactions", "is not valid TOML"),
        (row("EK1", f"step = {PRUNE}"), "code"),
        (row("EK501", ""), "either 'first' and 'then', or 'step'"),
        (row("EK501", f"first = {PRUNE}"), "either 'first' and 'then', or 'step'"),
        (row("EK501", 'step = { famly = "pruning" }'), "no property 'famly'; did you mean 'family'"),
        (row("EK501", f"step = {PRUNE}", more="when = { weather = 1 }"), "no property 'weather'"),
        (row("EK501", 'step = { family = "prunning" }'), "no technique family 'prunning'; did you mean 'pruning'"),
        (
            row("EK501", f"step = {PRUNE}", more='remedy = { add = "prun" }'),
            "names the step 'prun', which does not exist",
        ),
        (
            row("EK501", f"step = {PRUNE}", more='remedy = { replace = { side = "step", use = "heads" } }'),
            "names the step 'heads', which does not exist",
        ),
        (row("EK501", f"step = {PRUNE}", "poor", 'severity = "info"'), "a poor verdict has the severity"),
        (row("EK501", f"step = {PRUNE}", severity='severity = "error"'), "only a poor verdict has 'severity'"),
        (row("EK501", f"step = {PRUNE}", severity="breaks = true"), "only a poor verdict has 'severity' or 'breaks'"),
        (row("EK501", f"step = {PRUNE}", "good", "own_severity = 1"), "unknown key 'own_severity'"),
        (row("EK501", f"step = {PRUNE}") * 2, "EK501 stands twice"),
        (row("EK501", f"step = {PRUNE}") + row("EK502", f"step = {PRUNE}", "good"), "give the same case the verdicts"),
        (
            row("EK501", pair(PRUNE, QUANTIZE), "good") + row("EK502", pair(QUANTIZE, PRUNE), "good"),
            "no order satisfies EK501 -> EK502",
        ),
        (
            row("EK501", pair(PRUNE, QUANTIZE), "good")
            + row("EK502", pair(QUANTIZE, '{ family = "distillation" }'), "good")
            + row("EK503", pair('{ family = "distillation" }', PRUNE), "good"),
            "no order satisfies",
        ),
    ],
)
def test_a_wrong_file_is_refused_with_the_reason(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InteractionsError) as caught:
        load_interactions(written(tmp_path, text))
    assert message in f"{caught.value.message} {caught.value.hint}"


def test_orders_that_cannot_meet_in_one_recipe_are_no_circle(tmp_path: Path) -> None:
    coarse, fine = (f'{{ family = "quantization", bits = {{ {each} }} }}' for each in ("max = 4", "min = 5"))
    path = written(tmp_path, row("EK501", pair(PRUNE, coarse), "good"), row("EK502", pair(fine, PRUNE), "good"))
    assert len(load_interactions(path)) == 2


def test_a_projects_row_takes_the_place_of_the_shipped_one(tmp_path: Path) -> None:
    path = written(tmp_path, row("EK303", 'step = { family = "pruning", fine_tuned = false }'))
    whole = {each.code: each for each in interactions_with(path)}
    assert whole["EK303"].verdict is PairVerdict.MODERATE
    assert len(whole) == len(shipped_interactions())


def test_a_projects_row_may_not_contradict_the_shipped_table(tmp_path: Path) -> None:
    with pytest.raises(InteractionsError, match="EK101 and EK501 give the same case the verdicts poor and good"):
        interactions_with(written(tmp_path, row("EK501", pair(QUANTIZE, PRUNE), "good")))
    training = '{ family = "training" }'
    with pytest.raises(InteractionsError, match="no order satisfies"):
        interactions_with(written(tmp_path, row("EK501", pair(training, "{ discards = true }"), "good")))


def test_conditions_that_can_hold_at_once_may_not_differ_in_verdict(tmp_path: Path) -> None:
    def rows(bits: str, when: str = "") -> Path:
        coarse = '{ family = "quantization", bits = { max = 4 } }'
        other = f'{{ family = ["quantization", "training"], bits = {bits} }}'
        more = f"when = {when}" if when else ""
        return written(
            tmp_path,
            row("EK501", pair(coarse, PRUNE), more='when = { architecture = "cnn" }'),
            row("EK502", pair(other, PRUNE), "poor", 'severity = "error"', more),
        )

    with pytest.raises(
        InteractionsError, match="EK501 and EK502 give the same case the verdicts moderate and poor"
    ) as raised:
        load_interactions(rows("{ min = 4 }"))
    assert "give them different conditions" in raised.value.hint
    assert load_interactions(rows("{ min = 5 }")), "no rounding has both"
    assert load_interactions(rows("{ min = 4 }", '{ architecture = "transformer" }')), "no model is both"


@given(st.booleans() | st.none(), st.booleans() | st.none())
def test_conditions_are_three_valued(one: bool | None, other: bool | None) -> None:
    condition = {"gradual": True, "fused": True}
    known = {"gradual": one, "fused": other}
    unknown = frozenset(name for name, value in known.items() if value is None)
    held = fits(condition, known, unknown)
    assert held == (False if False in (one, other) else None if None in (one, other) else True)


def test_measured_evidence_tells_its_points() -> None:
    result = Evidence(kind="measured", source="b.py", says="a: 90.00 %; b: 95.00 %", points=(-5.0, -6.5, -3.5))
    assert result.statement == "a: 90.00 %; b: 95.00 %; -5.00 points, 95% interval -6.50 to -3.50: worse"
    assert result.copy_with(points=None).statement == result.says


def measured(source: str, *points: float) -> str:
    return f'{{ kind = "measured", source = "{source}", says = "a", points = [{", ".join(map(str, points))}] }}'


@pytest.mark.parametrize(
    ("more", "evidence", "severity"),
    [
        ("", [], "warning"),
        ("breaks = true", [], "error"),
        ('severity = "error"', [], "error"),
        ("", [measured("one", -8.0, -12.0, -4.0)], "warning"),
        ("", [measured("one", -8.0, -12.0, -4.0), measured("one", -9.0, -12.0, -4.0)], "warning"),
        ("", [measured("one", -8.0, -12.0, -4.0), measured("other", -17.0, -25.0, -7.0)], "error"),
        ("", [measured("one", -8.0, -12.0, -4.0), measured("other", -17.0, -37.0, 5.0)], "warning"),
        ("", [measured("one", -0.6, -0.8, -0.4), measured("other", -0.5, -0.7, -0.3)], "warning"),
        ('severity = "warning"', [measured("one", -8.0, -9.0, -7.0), measured("two", -8.0, -9.0, -7.0)], "warning"),
    ],
)
def test_the_severity_of_a_poor_verdict_follows_from_the_evidence(
    tmp_path: Path, more: str, evidence: list[str], severity: str
) -> None:
    text = row("EK501", f"step = {PRUNE}", "poor", more)
    claim = '{ kind = "claim", source = "here", says = "so" }'
    path = written(tmp_path, text.replace(claim, ", ".join([claim, *evidence])))
    assert load_interactions(path)[0].severity == severity
