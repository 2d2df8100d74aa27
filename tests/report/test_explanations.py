import json

import pytest

from edgekit.planning.explanations import explain
from edgekit.planning.interactions import shipped_interactions
from edgekit.report.explanations import answer_json, answer_report, codes_report
from tests.report.rendered import rendered

ROWS = shipped_interactions()


def test_every_code_stands_in_the_list_and_fits_eighty_columns() -> None:
    result = explain((), ROWS)
    shown = rendered(codes_report(result.findings), *answer_report(result, ROWS))
    assert max(map(len, shown.splitlines())) <= 80
    assert all(shown.count(each.code) >= 2 for each in result.findings)


def text(*words: str) -> str:
    return rendered(*answer_report(explain(words, ROWS), ROWS))


def test_reason_numbers_references_and_both_examples_are_shown() -> None:
    shown = " ".join(text("EK101").split())
    for part in (
        "EK101 error",
        "because Pruning removes",
        "but INT4 first is not the whole cause",
        "fix prune first",
        "arXiv 2405.20935",
        "65.89 %",
    ):
        assert part in shown
    assert (
        "found in train; quantize-weights granularity=tensor; sparsify epochs=0; export not in train; sparsify;"
        in shown
    )
    other = " ".join(text("EK407").split())
    assert "reduce_range no)" in other and "reduce_range yes)" in other


def test_json_has_the_same() -> None:
    data = json.loads(answer_json(explain(("EK101", "EK001"), ROWS)))
    assert data["schema"] == 1
    first, second = data["findings"]
    assert (first["code"], first["severity"], first["verdict"]) == ("EK101", "error", "poor")
    assert first["evidence"][1]["source"].startswith("arXiv") and first["example"]["triggers"].startswith("train;")
    assert second["code"] == "EK001"
    assert data["reverse"] == data["terms"] == [] and data["page"] is None
    pair = json.loads(answer_json(explain(("quantization", "pruning"), ROWS)))
    assert "EK104" in {each["code"] for each in pair["reverse"]} and len(pair["terms"]) == 2
    page = json.loads(answer_json(explain(("order",), ROWS)))["page"]
    assert page["sections"][0]["rows"] == ["EK101", "EK115"]


@pytest.mark.parametrize("word", ["order", "glossary", "int4", "heads", "fp16", "per-tensor", "kd"])
def test_pages_and_words_fit_eighty_columns(word: str) -> None:
    assert max(map(len, text(word).splitlines())) <= 80


def test_a_pair_is_shown_as_given_then_turned() -> None:
    shown = text("quantization", "pruning")
    as_given, turned = shown.index("quantization, then pruning"), shown.index("pruning, then quantization")
    assert as_given < shown.index("EK101  error") < turned < shown.index("EK104  good")
    assert "the table says nothing of this order" in text("training", "graph")
    assert "the table says" not in text("int4", "folded"), "only one of them is a technique"


def test_a_technique_is_explained_then_its_findings_are_listed() -> None:
    shown = " ".join(text("pruning").split())
    assert shown.startswith("pruning means Weights, channels or heads") and "steps prune, sparsify" in shown
    assert "EK303 error channels or heads pruned without fine-tuning" in shown and "edgekit explain CODE" in shown


def test_a_technique_without_a_step_says_why() -> None:
    assert "no step the runtimes store and multiply" in " ".join(text("clustering").split())


def test_the_page_has_questions_measurements_and_their_limits() -> None:
    shown = " ".join(text("order").split())
    for part in (
        "Why does the order matter?",
        "EK101 INT4 per tensor, then 50 % zeros in one shot, against the other order: digits -16.53 (-37.93 to +4.87), "
        "undecided;",
        "but Training in between repairs much",
        "Figures are points of accuracy with their 95 % interval",
    ):
        assert part in shown
