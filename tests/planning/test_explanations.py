from pathlib import Path

import pytest

from edgekit.errors import InteractionsError
from edgekit.planning.explanations import explain
from edgekit.planning.interactions import (
    RULES,
    Interaction,
    Severity,
    load_interactions,
    shipped_interactions,
)
from edgekit.planning.lint import FAULT_CODES, lint
from edgekit.planning.words import recipe_in_words
from tests.planning.examples import surroundings_given

ROWS = shipped_interactions()


def codes(*words: str) -> list[str]:
    return [each.code for each in explain(words, ROWS).findings]


def test_every_code_is_explained() -> None:
    result = explain((), ROWS).findings
    assert [each.code for each in result] == sorted({*RULES, *(row.code for row in ROWS)})
    for each in result:
        assert explain((each.code.lower(),), ROWS).findings == (each,)
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
    ("first", "then", "as_given", "reverse"),
    [
        ("quantization", "pruning", "EK101", "EK104"),
        ("pruning", "distillation", "EK107", "EK105"),
        ("qat", "graph-optimization", "EK106", None),
        ("int4", "pruning", "EK101", "EK104"),
        ("qat", "pruning", "EK115", "EK104"),
        ("pruned", "ptq", "EK104", "EK101"),
    ],
)
def test_two_techniques_are_answered_in_the_order_as_given_and_in_the_other(
    first: str, then: str, as_given: str, reverse: str | None
) -> None:
    answer, turned = explain((first, then), ROWS), explain((then, first), ROWS)
    assert as_given in {each.code for each in answer.findings}
    assert as_given not in {each.code for each in answer.reverse}
    assert reverse is None or reverse in {each.code for each in answer.reverse}
    assert (turned.findings, turned.reverse) == (answer.reverse, answer.findings)


def test_bits_and_conditions_are_told_apart() -> None:
    assert "EK101" in codes("int4", "pruning") and "EK103" not in codes("int4", "pruning")
    assert "EK103" in codes("int8", "pruning") and "EK101" not in codes("int8", "pruning")
    assert "EK115" in codes("qat") and "EK115" not in codes("ptq")
    assert "EK309" in codes("static quantization") and "EK309" not in codes("dynamic quantization")
    assert "EK302" in codes("heads") and "EK302" not in codes("channels") and "EK301" in codes("channels")
    assert "EK401" in codes("sparsity") and "EK401" not in codes("structured pruning")
    assert codes("training", "graph") == []


def test_a_technique_alone_brings_every_row_that_speaks_of_it() -> None:
    found = set(codes("pruning"))
    assert {"EK101", "EK105", "EK301", "EK401"} <= found and "EK111" not in found


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("quantization-aware-training", "quantization-aware training"),
        ("quantization aware training", "quantization-aware training"),
        ("post-training quantization", "post-training quantization"),
        ("PTQ", "post-training quantization"),
        ("kd", "distillation"),
        ("Knowledge Distillation", "distillation"),
        ("filters", "channels"),
        ("attention heads", "heads"),
        ("4 bit", "int4"),
        ("layer fusion", "fusion"),
        ("fine tuning", "fine-tuned"),
        ("converged", "trained"),
        ("2:4 sparsity", "2:4 sparsity"),
    ],
)
def test_people_call_techniques_by_many_names(words: str, name: str) -> None:
    for given_words in (words.split(), [words]):
        (term,) = explain(given_words, ROWS).terms
        assert term.name == name


def test_the_order_has_a_page_and_the_glossary_is_whole() -> None:
    assert explain(("order",), ROWS).page is not None
    assert len(explain(("glossary",), ROWS).terms) > 80


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("prunning",), "no technique or word 'prunning'"),
        (("EK999",), "no finding has the code 'EK999'"),
        (("EK101", "pruning"), "no technique or word 'EK101'"),
        (("pruning", "int8", "kd"), "3 words"),
    ],
)
def test_what_cannot_be_explained_is_reported(words: tuple[str, ...], told: str) -> None:
    with pytest.raises(InteractionsError, match=told) as caught:
        explain(words, ROWS)
    assert len(caught.value.hint) < 100


def test_an_interval_is_called_what_it_is() -> None:
    (found,) = explain(("EK101",), ROWS).findings
    statements = [each.statement for each in found.evidence if each.points]
    assert any(each.endswith("points, 95% interval -37.93 to +4.87: undecided") for each in statements)
    assert all("interval" in each for each in statements)


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
    assert explain((code,), ROWS).findings[0].rule == rule


def test_a_range_has_two_ends(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(
        '[[interactions]]\ncode = "EK900"\ntitle = "t"\nstep = { bits = { min = 3, max = 4 } }\nverdict = "good"\n'
        'without_before = { family = "pruning" }\nwhy = "w."\n'
        'evidence = [{ kind = "claim", source = "s", says = "x" }]\n'
    )
    rows: tuple[Interaction, ...] = load_interactions(tmp_path / "own.toml")
    assert explain(("EK900",), rows).findings[0].rule == (
        "a step: any technique (bits at least 3, at most 4); none before it: pruning"
    )
