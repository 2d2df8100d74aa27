import json

from edgekit.planning.explanations import explain
from edgekit.planning.interactions import shipped_interactions
from edgekit.report.explanations import codes_report, explanations_json, explanations_report
from tests.report.rendered import rendered

ROWS = shipped_interactions()


def test_every_code_stands_in_the_list_and_fits_eighty_columns() -> None:
    result = explain((), ROWS)
    shown = rendered(codes_report(result), *explanations_report(result))
    assert max(map(len, shown.splitlines())) <= 80
    assert all(shown.count(each.code) >= 2 for each in result)


def test_reason_numbers_references_and_both_examples_are_shown() -> None:
    shown = " ".join(rendered(*explanations_report(explain(("EK101",), ROWS))).split())
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
    other = " ".join(rendered(*explanations_report(explain(("EK407",), ROWS))).split())
    assert "reduce_range no)" in other and "reduce_range yes)" in other


def test_json_has_the_same() -> None:
    data = json.loads(explanations_json(explain(("EK101", "EK001"), ROWS)))
    assert data["schema"] == 1
    first, second = data["findings"]
    assert (first["code"], first["severity"], first["verdict"]) == ("EK101", "error", "poor")
    assert first["evidence"][1]["source"].startswith("arXiv") and first["example"]["triggers"].startswith("train;")
    assert second["code"] == "EK001"
