import json
import tomllib
from pathlib import Path

import pytest

from edgekit.builds.check import RecipeCheck, check_recipe
from edgekit.planning.recipe import find_recipe
from edgekit.progress import Silent
from edgekit.report.plans import plan_json, plan_report, proposal_toml
from tests.report.rendered import rendered

FAILED = "failed-int4-first"


@pytest.fixture(autouse=True)
def _no_project_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def about(recipe: str, *targets: str) -> RecipeCheck:
    return check_recipe(None, Silent(), recipe, targets)


def text(told: RecipeCheck) -> str:
    return rendered(*plan_report(told))


def test_the_failed_recipe_is_taken_apart() -> None:
    shown = text(about(FAILED))
    assert max(map(len, shown.splitlines())) <= 80
    flat = " ".join(shown.split())
    for part in (
        "4 bits per tensor",
        "error EK101 step 2 quantize-weights teacher and step 3 sparsify teacher",
        "Primary flaw: step 2 quantize-weights teacher (EK101)",
        "these findings disappear: EK101, EK108, EK202",
        "step 3 sparsify teacher needs trained weight magnitudes",
        "step 4 distill needs a trained teacher",
        "1 train teacher, 2 distill, 3 prune, 4 export, 5 simplify, 6 quantize, 7 fuse",
        "Can be omitted of that step 3 prune",
        "--target ID names the device",
    ):
        assert part in flat, shown


def test_a_sound_recipe_has_neither_flaw_nor_better_order() -> None:
    shown = text(about("distil-prune-int8", "rpi4"))
    assert "Primary flaw" not in shown and "Better recipe" not in shown
    assert "info EK105" in shown and "pruned, then quantized (EK104)" in " ".join(shown.split())
    assert "Can be omitted\n" in "\n".join(line.rstrip() for line in shown.splitlines())


def test_several_targets_are_told_apart() -> None:
    shown = text(about("distil-int8", "rpi4", "rpi5"))
    assert "for rpi4, rpi5" in shown and "EK404  step 5 quantize (rpi4)" in shown


def test_json_counts_steps_from_one_and_holds_all_of_it() -> None:
    data = json.loads(plan_json(about(FAILED)))
    assert (data["schema"], data["recipe"], data["project"], data["targets"]) == (1, FAILED, None, [])
    assert data["steps"][3]["needs"] == {"student": ["float", "torch"], "teacher": ["converged", "float", "torch"]}
    first = data["findings"][0]
    assert {"code", "severity", "step", "message", "fix", "evidence"} <= first.keys()
    assert (first["code"], first["step"], first["other_step"]) == ("EK101", 2, 3)
    assert (data["primary"]["step"], data["primary"]["code"]) == (2, "EK101")
    assert [(each["step"], each["through"]) for each in data["cascade"]] == [(3, [2]), (4, [2, 3])]
    assert [each["use"] for each in data["proposed"]] == [
        "train", "distill", "prune", "export", "simplify", "quantize", "fuse",
    ]  # fmt: skip
    assert [each["label"] for each in data["omit"]] == ["prune"] and not data["remaining"]
    clean = json.loads(plan_json(about("distil-int8", "rpi4")))
    assert clean["primary"] is None and clean["cascade"] == [] and clean["changes"] == []
    assert clean["good"][0]["code"] == "EK111"


@pytest.mark.parametrize("targets", [(), ("rpi4",), ("rpi4", "x86-vnni")])
def test_the_better_recipe_is_a_file_that_lints_clean(tmp_path: Path, targets: tuple[str, ...]) -> None:
    written = proposal_toml(about(FAILED, *targets))
    assert "# EK410: quantize-weights became quantize" in written
    (tmp_path / "better.toml").write_text(written)
    again = about("better.toml", *targets)
    assert {each.severity for each in again.findings} == {"info"} and again.advice.primary is None
    assert again.recipe.steps == about(FAILED, *targets).advice.proposal.recipe.steps
    assert proposal_toml(again).startswith("# No change is needed in 'better'.")


def test_what_is_written_of_a_recipe_is_that_recipe(tmp_path: Path) -> None:
    (tmp_path / "fixed.toml").write_text(proposal_toml(about("train-prune-int8", "rpi4")))
    whole = find_recipe("train-prune-int8", tmp_path)
    assert find_recipe("fixed.toml", tmp_path).steps == whole.steps
    assert tomllib.loads((tmp_path / "fixed.toml").read_text())["about"] == whole.about


def test_what_limits_the_primary_finding_is_said_once_for_any_number_of_targets() -> None:
    for targets in (("rpi4",), ("rpi4", "rpi5")):
        assert " ".join(text(about(FAILED, *targets)).split()).count("INT4 first is not the whole cause") == 1
