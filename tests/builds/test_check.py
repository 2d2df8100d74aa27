from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.builds.check import RecipeCheck, check_recipe
from edgekit.errors import ProjectError, RecipeError, TargetError
from edgekit.planning.recipe import RECOMMENDED, RECOMMENDED_FOR_TRANSFORMERS
from edgekit.progress import Silent
from edgekit.project.project import Project, project_at

MakeProject = Callable[..., Path]
FAILED = "failed-int4-first"


def about(folder: Path | None, recipe: str | None = None, *targets: str, inspect: bool = False) -> RecipeCheck:
    return check_recipe(project_at(folder), Silent(), recipe, targets, inspect=inspect)


def test_without_a_project_the_recommended_recipe_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = about(None)
    assert result.recipe.name == RECOMMENDED and result.project is None and not result.targets
    assert not result.has_errors and {"EK307", "EK403"} <= {each.code for each in result.undecided}
    with pytest.raises(ProjectError, match="no model to inspect"):
        about(None, inspect=True)


def test_a_project_brings_its_recipe_its_targets_and_once_looked_at_its_models(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_project()
    monkeypatch.chdir(folder)
    result = about(None)
    assert result.recipe.source == folder / "edgekit.toml" and [each.id for each in result.targets] == ["rpi4"]
    assert "EK307" in {each.code for each in result.undecided}
    assert not about(None, inspect=True).undecided
    assert not about(folder).undecided, "what was seen is kept"


def test_the_recommended_recipe_follows_the_architecture_of_an_inspected_student(tiny: Project) -> None:
    source = (tiny.root / "model.py").read_text()
    attention = "        features = (features @ features.transpose(-1, -2)).softmax(-1) @ features\n"
    first = "        features = self.first(image)\n"
    assert first in source
    (tiny.root / "model.py").write_text(source.replace(first, first + attention))
    bare = tiny.copy_with(steps=())
    assert check_recipe(bare, Silent()).recipe.name == RECOMMENDED, "nothing is known of the student"
    for inspect in (True, False):
        found = check_recipe(bare, Silent(), inspect=inspect)
        assert found.recipe.name == RECOMMENDED_FOR_TRANSFORMERS and not found.findings
    assert "EK307" in {each.code for each in check_recipe(bare, Silent(), RECOMMENDED).findings}


def test_a_recipe_named_is_judged_as_it_stands(make_project: MakeProject, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_project()
    monkeypatch.chdir(folder)
    assert about(folder, FAILED).has_errors
    (folder / "mine.toml").write_text('[[steps]]\nuse = "load"\n[[steps]]\nuse = "export"\n')
    with pytest.raises(RecipeError, match="has no weights"):
        about(folder, "mine.toml")


@pytest.mark.parametrize("targets", [("rpi4", "rpi5"), ("rpi5", "rpi4")])
def test_one_recipe_is_proposed_for_all_targets(targets: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "signed.toml").write_text(
        "".join(f'[[steps]]\nuse = "{use}"\n' for use in ("train", "sparsify", "export", "simplify", "quantize"))
        + 'activation = "int8"\n'
    )
    result = about(None, str(tmp_path / "signed.toml"), *targets, "x86-vnni")
    assert [each.target for each in result.findings if each.code == "EK405"] == ["x86-vnni"]
    assert [each.target for each in result.findings if each.code == "EK404"] == ["rpi4"]
    assert len([each for each in result.findings if each.code == "EK401"]) == 1
    assert result.judgement.walked.steps[0].label == "train"
    steps = [each.step for each in result.advice.proposal.recipe.steps]
    assert [each.name() for each in steps] == ["train", "prune", "export", "simplify", "quantize"]
    assert steps[-1].options()["activation"] == "target"
    assert not result.advice.remaining


def test_what_no_change_mends_is_reported(tmp_path: Path) -> None:
    (tmp_path / "bare.toml").write_text(BARE)
    result = about(None, "distil-int8", str(tmp_path / "bare.toml"))
    assert [each.code for each in result.advice.remaining] == ["EK403"]
    assert not result.advice.has_errors


BARE = """
name = "a core without vectors"
arch = "x86_64"
cpu = ""
isa = []
channel_multiple = 8
runtime = { name = "onnxruntime", version = "1.32.0" }
quantization = { activation = "uint8", weight = "int8", per_channel = true, reduce_range = true }
"""


def test_wrong_names_are_reported(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="rpi44"):
        about(None, None, "rpi44")
    with pytest.raises(RecipeError, match="no recipe 'distil'"):
        about(None, "distil")
    with pytest.raises(RecipeError, match="cannot be read"):
        about(None, "absent.toml")
    with pytest.raises(ProjectError, match=r"no edgekit\.toml"):
        about(tmp_path)


def test_an_unknown_metric_is_reported(tiny: Project) -> None:
    with pytest.raises(ProjectError, match="no metric 'acuracy'"):
        check_recipe(tiny.copy_with(metric="acuracy"), Silent())
