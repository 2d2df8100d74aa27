import json
from pathlib import Path

from edgekit.planning.lint import lint_alone, lint_shipped_recipes
from edgekit.planning.recipe import find_recipe, shipped_recipes
from edgekit.report.recipes import recipe_json, recipe_report, recipes_json, recipes_report
from tests.report.rendered import rendered

FAILED = find_recipe("failed-int4-first", Path())


def text(*parts: object) -> str:
    result = rendered(*parts)
    assert max(map(len, result.splitlines())) <= 80
    return result


def test_each_recipe_has_its_findings_in_a_word() -> None:
    judged = lint_shipped_recipes()
    shown = text(recipes_report(judged))
    assert all(name in shown for name in shipped_recipes())
    assert "distil-prune-int8 *" in shown
    assert shown.count("sound") == len(judged) - 1 and "3 errors (EK101," in shown
    values = {each["name"]: each for each in json.loads(recipes_json(judged))["recipes"]}
    assert values["distil-prune-int8"]["recommended"] and not values["distil-int8"]["recommended"]
    assert all(each["about"].endswith(".") for each in values.values())


def test_a_recipe_is_shown_with_every_option() -> None:
    shown = " ".join(text(*recipe_report(lint_alone(FAILED))).split())
    for part in (
        "A counterexample",
        "2 quantize-weights teacher epochs 0 integer, >= 0",
        "granularity tensor * channel, group, tensor",
    ):
        assert part in shown
    assert "scope (sparsify) Whether the share applies to each layer" in shown
    data = json.loads(recipe_json(lint_alone(FAILED)))
    assert data["schema"] == 1 and data["steps"][1]["options"]["bits"]["allowed"] == "integer, >= 2, <= 8"
    assert {"code": "EK101", "severity": "error"} in data["findings"]
