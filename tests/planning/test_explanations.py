from pathlib import Path

import pytest

from edgekit.contract.technique import Family
from edgekit.errors import InteractionsError
from edgekit.planning.explanations import explain, family_of
from edgekit.planning.interactions import (
    RULES,
    Interaction,
    PairVerdict,
    Severity,
    load_interactions,
    shipped_interactions,
)
from edgekit.planning.lint import FAULT_CODES, lint
from edgekit.planning.words import recipe_in_words
from tests.planning.examples import surroundings_given

ROWS = shipped_interactions()


def test_every_code_is_explained() -> None:
    result = explain((), ROWS)
    assert [each.code for each in result] == sorted({*RULES, *(row.code for row in ROWS)})
    for each in result:
        assert explain((each.code.lower(),), ROWS) == (each,)
        assert each.title and each.why and each.evidence
        assert each.fix or each.severity not in (Severity.ERROR, Severity.WARNING)
        assert each.example is not None


@pytest.mark.parametrize("code", sorted(FAULT_CODES.values()))
def test_what_is_impossible_is_found_in_its_example_and_not_beside_it(code: str) -> None:
    example = RULES[code].example
    for words, expected in ((example.triggers, True), (example.silent, False)):
        found = lint(recipe_in_words(words), surroundings_given(example.given), ROWS).findings
        assert (code in {each.code for each in found}) == expected


@pytest.mark.parametrize(
    ("first", "then", "verdicts"),
    [
        ("quantization", "pruning", {"EK101": PairVerdict.POOR, "EK104": PairVerdict.GOOD}),
        ("distillation", "pruning", {"EK105": PairVerdict.MODERATE, "EK107": PairVerdict.POOR}),
        ("qat", "graph-optimization", {"EK106": PairVerdict.GOOD}),
    ],
)
def test_the_starting_pairs_are_answered_in_either_order(
    first: str, then: str, verdicts: dict[str, PairVerdict]
) -> None:
    result = explain((first, then), ROWS)
    assert verdicts.items() <= {each.code: each.verdict for each in result}.items()
    assert explain((then, first), ROWS) == result


def test_a_technique_alone_brings_every_row_that_speaks_of_it() -> None:
    found = {each.code for each in explain(("pruning",), ROWS)}
    assert {"EK101", "EK105", "EK301", "EK401"} <= found and "EK111" not in found
    assert explain(("training", "graph"), ROWS) == ()


@pytest.mark.parametrize("word", ["quantization", "INT8", "ptq", "quantize", "quantisation", "qat", "weight-only"])
def test_people_call_techniques_by_many_names(word: str) -> None:
    assert family_of(word) is Family.QUANTIZATION


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("prunning",), "no technique 'prunning'"),
        (("EK999",), "no finding has the code 'EK999'"),
        (("EK101", "pruning"), "no technique 'EK101'"),
        (("pruning", "int8", "kd"), "3 words"),
    ],
)
def test_what_cannot_be_explained_is_reported(words: tuple[str, ...], told: str) -> None:
    with pytest.raises(InteractionsError, match=told):
        explain(words, ROWS)


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        ("EK101", "first quantization (bits at most 4, granularity tensor); later pruning (not fine tuned)"),
        ("EK201", "at least 4 steps: any technique (lossy)"),
        ("EK302", "a step: pruning (structure heads); where architecture cnn or other"),
        ("EK310", "a step: graph (not trained, role student); none after it: graph"),
        ("EK404", "a step: quantization (bits 8, static); where isa with neon, without dotprod"),
    ],
)
def test_conditions_are_put_in_words(code: str, rule: str) -> None:
    assert explain((code,), ROWS)[0].rule == rule


def test_a_range_has_two_ends(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(
        '[[interactions]]\ncode = "EK900"\ntitle = "t"\nstep = { bits = { min = 3, max = 4 } }\nverdict = "good"\n'
        'without_before = { family = "pruning" }\nwhy = "w."\n'
        'evidence = [{ kind = "claim", source = "s", says = "x" }]\n'
    )
    rows: tuple[Interaction, ...] = load_interactions(tmp_path / "own.toml")
    assert explain(("EK900",), rows)[0].rule == (
        "a step: any technique (bits at least 3, at most 4); none before it: pruning"
    )
