import json
from pathlib import Path

from edgekit.planning.lint import bare_judgement, shipped_judgements
from edgekit.planning.recipe import find_recipe, shipped_recipes
from edgekit.report.recipes import recipe_json, recipe_report, recipes_json, recipes_report
from tests.report.rendered import rendered

FAILED = find_recipe("failed-int4-first", Path())


def text(*parts: object) -> str:
    told = rendered(*parts)
    assert max(map(len, told.splitlines())) <= 80
    return told


def test_each_recipe_has_its_findings_in_a_word() -> None:
    judged = shipped_judgements()
    shown = text(recipes_report(judged))
    assert all(name in shown for name in shipped_recipes())
    assert "distil-prune-int8 *" in shown
    assert shown.count("sound") == len(judged) - 1 and "1 error (EK101), 5 warnings" in shown
    told = {each["name"]: each for each in json.loads(recipes_json(judged))["recipes"]}
    assert told["distil-prune-int8"]["recommended"] and not told["distil-int8"]["recommended"]
    assert all(each["about"].endswith(".") for each in told.values())


def test_a_recipe_is_shown_with_every_option() -> None:
    shown = " ".join(text(*recipe_report(bare_judgement(FAILED))).split())
    for part in (
        "How not to do it",
        "2 quantize-weights teacher epochs 0 integer, >= 0",
        "granularity tensor * channel, group, tensor",
    ):
        assert part in shown
    assert "scope (sparsify) Whether each layer loses that share" in shown
    told = json.loads(recipe_json(bare_judgement(FAILED)))
    assert told["schema"] == 1 and told["steps"][1]["options"]["bits"]["allowed"] == "integer, >= 2, <= 8"
    assert {"code": "EK101", "severity": "error"} in told["findings"]
