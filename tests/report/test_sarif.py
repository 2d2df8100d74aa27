import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from sarif_pydantic import Sarif

from edgekit.builds.check import check_recipe
from edgekit.planning.recipe import shipped_recipes
from edgekit.progress import Silent
from edgekit.project.project import project_at
from edgekit.report.sarif import sarif_log

MakeProject = Callable[..., Path]


def log(folder: Path | None, recipe: str | None = None, *targets: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(sarif_log(check_recipe(project_at(folder), Silent(), recipe, targets)))
    assert not list(unknown_keys(Sarif.model_validate(values)))
    return values


def unknown_keys(model: object) -> Iterator[str]:
    """Keys that the public models of SARIF 2.1.0 do not know."""
    if isinstance(model, BaseModel):
        yield from set(model.model_extra or ())
        for value in dict(model).values():
            yield from unknown_keys(value)
    elif isinstance(model, list | tuple):
        for each in model:
            yield from unknown_keys(each)


def lines(told: dict[str, Any]) -> dict[str, tuple[str, int]]:
    """Where each code's first result stands."""
    found: dict[str, tuple[str, int]] = {}
    for result in told["runs"][0]["results"]:
        place = result["locations"][0]["physicalLocation"]
        found.setdefault(result["ruleId"], (place["artifactLocation"]["uri"], place["region"]["startLine"]))
    return found


@pytest.mark.parametrize("recipe", sorted(shipped_recipes()))
def test_every_recipe_is_valid_sarif(recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = log(None, recipe, "rpi4")["runs"][0]
    rules = [each["id"] for each in run["tool"]["driver"]["rules"]]
    assert all(rules[each["ruleIndex"]] == each["ruleId"] for each in run["results"])


def test_the_schema_tells_wrong_from_right() -> None:
    with pytest.raises(ValueError):
        Sarif.model_validate({"version": "2.1.0", "runs": [{"results": []}]})
    assert list(unknown_keys(Sarif.model_validate({"version": "2.1.0", "runs": [], "rnus": []}))) == ["rnus"]


def test_a_finding_stands_at_its_steps_line(make_project: MakeProject, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_project()
    monkeypatch.chdir(folder.parent)
    outcome = log(folder)
    headers = [n for n, line in enumerate((folder / "edgekit.toml").read_text().splitlines(), 1) if "[[steps]]" in line]
    assert lines(outcome)["EK105"] == ("tiny/edgekit.toml", headers[1])
    result = next(each for each in outcome["runs"][0]["results"] if each["ruleId"] == "EK105")
    assert result["relatedLocations"][0]["physicalLocation"]["region"]["startLine"] == headers[2]
    assert result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] == "step 2 distill"
    assert result["level"] == "note"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('about = """\n[[steps]]\n"""\n[[steps]]\nuse = "train"\n[["steps"]]\nuse = "prune"\nepochs = 0\n', 6),
        ('about = "x"\nsteps = [{ use = "train" }, { use = "prune", epochs = 0 }]\n', 2),
    ],
    ids=["headers", "inline"],
)
def test_lines_are_right_however_a_recipe_is_written(
    text: str, line: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd.toml").write_text(text)
    found = lines(log(None, "odd.toml"))
    assert found["EK303"] == ("odd.toml", line)
    assert found["EK003"][0] == "odd.toml", "a finding of the whole recipe"


def test_a_named_recipes_findings_stand_where_the_project_names_it(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_project()
    monkeypatch.chdir(folder)
    text = (folder / "edgekit.toml").read_text()
    text = text[: text.index("[[steps]]")].replace("seed = 0", 'seed = 0\nrecipe = "failed-int4-first"')
    (folder / "edgekit.toml").write_text(text)
    line = next(number for number, each in enumerate(text.splitlines(), 1) if each.startswith("recipe"))
    assert set(lines(log(None)).values()) == {("edgekit.toml", line)}
