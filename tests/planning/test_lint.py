from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given

from edgekit.data.splits import Splits
from edgekit.planning.interactions import Severity, Verdict, shipped_interactions
from edgekit.planning.lint import Surroundings, interactions_of, linted, merged_findings, surroundings_of
from edgekit.planning.recipe import Recipe, RecipeStep, find_recipe, recipe_from, shipped_recipes
from edgekit.project.project import Project, load_project
from edgekit.project.survey import Survey
from edgekit.steps.step import step_from
from edgekit.target import find_target
from edgekit.traits import Role
from tests.conftest import MakeProject
from tests.strategies import recipes

CNN = Survey("cnn", 1000, (16, 32), batch_norms=True, batch_s=0.1, batches=6)
TEACHER = replace(CNN, parameters=2000)
TRANSFORMER = replace(CNN, architecture="transformer", batch_norms=False)
KNOWN = Surroundings(find_target("rpi4"), {Role.TEACHER: TEACHER, Role.STUDENT: CNN})
PREFIX = [{"use": "train", "role": "teacher"}, {"use": "distill"}]
SUFFIX = [{"use": "export"}, {"use": "simplify"}, {"use": "quantize"}, {"use": "fuse"}]


def codes(tables: list[dict[str, object]], surroundings: Surroundings = KNOWN) -> dict[str, Severity]:
    judged = linted(recipe_from("r", tables, "r"), surroundings, shipped_interactions())
    return {each.code: each.severity for each in judged.findings}


def about(name: str, surroundings: Surroundings = KNOWN) -> dict[str, Severity]:
    judged = linted(find_recipe(name, Path()), surroundings, shipped_interactions())
    return {each.code: each.severity for each in judged.findings}


def test_the_failed_pipeline_is_an_error_with_its_culprits_named() -> None:
    judged = linted(find_recipe("failed-int4-first", Path()), KNOWN, shipped_interactions())
    assert {each.code for each in judged.errors} == {"EK101"}
    first = judged.errors[0]
    assert "step 2 quantize-weights teacher and step 3 sparsify teacher" in first.message
    assert first.step == 1 and first.other == 2 and first.fix and first.evidence


@pytest.mark.parametrize("name", ["distil-prune-int8", "distil-int8", "distil-qat-int8"])
@pytest.mark.parametrize("target", ["rpi3", "rpi4", "rpi5", "rpi-zero2w", "arm64-generic", "x86-avx2", "x86-vnni"])
def test_what_edgekit_recommends_lints_clean_for_every_target(name: str, target: str) -> None:
    found = about(name, replace(KNOWN, target=find_target(target)))
    assert not [code for code, severity in found.items() if severity is not Severity.INFO], found


def test_every_shipped_recipe_but_the_failed_one_is_clean_for_its_kind_of_model() -> None:
    for name in shipped_recipes():
        survey = TRANSFORMER if name == "weight-only-int4" else CNN
        surroundings = replace(KNOWN, surveys={Role.TEACHER: replace(survey, parameters=2000), Role.STUDENT: survey})
        judged = linted(find_recipe(name, Path()), surroundings, shipped_interactions())
        assert judged.is_clean == (name != "failed-int4-first"), (name, judged.findings)


@given(recipes())
def test_names_and_written_out_defaults_change_no_judgement(recipe: Recipe) -> None:
    explicit = [{"use": each.step.name(), "role": each.role.value, **each.step.options()} for each in recipe.steps]
    one = linted(recipe, KNOWN, shipped_interactions())
    other = linted(recipe_from("failed-int4-first", explicit, "other"), KNOWN, shipped_interactions())
    assert [each.to_json() for each in one.findings if each.step is not None] == [
        each.to_json() for each in other.findings if each.step is not None
    ]
    assert one.walked.steps == other.walked.steps and one.undecided == other.undecided


def test_the_failed_pipeline_is_judged_alike_under_any_name() -> None:
    failed = find_recipe("failed-int4-first", Path())
    one, other = (linted(replace(failed, name=name), KNOWN, shipped_interactions()) for name in ("a", "distil-int8"))
    assert one.findings == other.findings


@given(recipes())
def test_a_random_recipe_is_judged_whole(recipe: Recipe) -> None:
    judged = linted(recipe, KNOWN, shipped_interactions())
    order = list(Severity)
    assert [order.index(each.severity) for each in judged.findings] == sorted(
        order.index(each.severity) for each in judged.findings
    )
    for each in judged.findings:
        assert each.step is None or 0 <= each.step < len(recipe.steps)
        assert each.other is None or (each.step is not None and each.step < each.other)
        assert each.verdict is not Verdict.GOOD and each.message and each.evidence
    assert all(each.verdict is Verdict.GOOD for each in judged.sound)
    assert not judged.undecided, "everything is known here"


@pytest.mark.parametrize(
    ("tables", "code", "severity"),
    [
        ([*PREFIX, {"use": "quantize-weights", "granularity": "tensor"}, {"use": "prune"}, *SUFFIX], "EK101", "error"),
        ([*PREFIX, {"use": "quantize-weights"}, {"use": "prune"}, *SUFFIX], "EK102", "info"),
        ([*PREFIX, {"use": "qat"}, {"use": "prune"}, *SUFFIX], "EK103", "info"),
        ([*PREFIX, {"use": "prune"}, *SUFFIX], "EK105", "info"),
        (
            [PREFIX[0], {"use": "prune", "role": "teacher", "epochs": 0}, PREFIX[1], *SUFFIX],
            "EK107",
            "warning",
        ),
        ([PREFIX[0], {"use": "quantize-weights", "role": "teacher"}, PREFIX[1], *SUFFIX], "EK108", "warning"),
        ([*PREFIX, {"use": "quantize-weights", "bits": 8}, *SUFFIX], "EK109", "error"),
        ([{"use": "train"}, {"use": "prune"}, {"use": "distill"}, *SUFFIX], "EK113", "info"),
        ([*PREFIX, {"use": "prune", "epochs": 0}, *SUFFIX], "EK303", "warning"),
        ([*PREFIX, {"use": "prune", "epochs": 0, "batch_norm": "kept"}, *SUFFIX], "EK304", "warning"),
        ([*PREFIX, {"use": "sparsify", "sparsity": 0.9}, *SUFFIX], "EK306", "info"),
        (SUFFIX, "EK310", "warning"),
        ([*PREFIX, {"use": "sparsify"}, *SUFFIX], "EK401", "warning"),
        ([*PREFIX, *SUFFIX[:2], {"use": "quantize", "weight": "uint8"}, SUFFIX[3]], "EK406", "warning"),
        ([*PREFIX, *SUFFIX[:3], {"use": "fuse", "layouts": True}], "EK409", "error"),
        ([*PREFIX, {"use": "quantize-weights"}, *SUFFIX[:2], SUFFIX[3]], "EK410", "warning"),
        ([*PREFIX, {"use": "qat"}, *SUFFIX[:2], SUFFIX[3]], "EK411", "warning"),
        ([*PREFIX, {"use": "prune"}, {"use": "sparsify"}, *SUFFIX], "EK201", "warning"),
    ],
)
def test_each_row_speaks_where_it_should(tables: list[dict[str, object]], code: str, severity: str) -> None:
    assert codes(tables).get(code) == severity, codes(tables)


def test_the_model_and_the_target_decide() -> None:
    pruned = [*PREFIX, {"use": "prune"}, *SUFFIX]
    models = {Role.TEACHER: TRANSFORMER, Role.STUDENT: TRANSFORMER}
    assert codes(pruned, replace(KNOWN, surveys=models)).items() >= {"EK301": "error", "EK307": "warning"}.items()
    large = {Role.TEACHER: replace(CNN, parameters=9000), Role.STUDENT: CNN}
    assert "EK112" in codes(pruned, replace(KNOWN, surveys=large))
    assert codes([*PREFIX, {"use": "export"}, {"use": "simplify"}, {"use": "weight-only"}])["EK308"] == "error"
    assert "EK404" in codes(pruned) and "EK404" not in codes(pruned, replace(KNOWN, target=find_target("rpi5")))
    signed = [*PREFIX, *SUFFIX[:2], {"use": "quantize", "activation": "int8"}, SUFFIX[3]]
    assert codes(signed, replace(KNOWN, target=find_target("x86-vnni")))["EK405"] == "warning"
    assert "EK405" not in codes(signed)


def test_what_is_unknown_is_undecided_not_fine() -> None:
    judged = linted(find_recipe("distil-prune-int8", Path()), Surroundings(), shipped_interactions())
    open_rows = {each.code: each.needs for each in judged.undecided}
    assert open_rows["EK301"] == ("architecture",)
    assert "isa" in open_rows["EK403"]
    assert not judged.errors


def test_what_is_impossible_names_the_culprit_and_cannot_be_allowed() -> None:
    judged = linted(recipe_from("r", [*PREFIX, *SUFFIX, {"use": "prune"}], "r"), KNOWN, shipped_interactions())
    fault = next(each for each in judged.errors if each.code == "EK001")
    assert fault.step == 2 and fault.other == 6 and not fault.can_be_allowed, "export took the module"
    no_teacher = replace(KNOWN, roles=frozenset({Role.STUDENT}))
    assert "EK002" in codes([*PREFIX, *SUFFIX], no_teacher)
    assert "EK003" in codes(PREFIX)


def test_three_techniques_are_no_finding_and_graph_steps_do_not_count() -> None:
    assert "EK201" not in codes([*PREFIX, {"use": "prune"}, *SUFFIX])


def test_a_finding_that_hangs_on_no_target_stands_once() -> None:
    recipe = recipe_from("r", [*PREFIX, {"use": "sparsify"}, *SUFFIX], "r")
    judged = [
        linted(recipe, replace(KNOWN, target=find_target(name)), shipped_interactions()) for name in ("rpi3", "rpi4")
    ]
    found = [each.code for each in merged_findings(judged)]
    assert found.count("EK401") == 2 and found.count("EK404") == 2
    assert found.count("EK111") == 0 and found.count("EK105") == 1


def test_a_projects_own_rows_are_read(make_project: MakeProject) -> None:
    folder = make_project()
    (folder / "interactions.toml").write_text(
        '[[interactions]]\ncode = "EK501"\ntitle = "too much"\nstep = { sparsity = { min = 0.3 } }\n'
        'verdict = "poor"\nseverity = "error"\nwhy = "We tried."\nfix = "less"\n'
        'evidence = [{ kind = "measured", source = "us", says = "it failed" }]\n'
    )
    project = load_project(folder)
    judged = linted(
        recipe_from("r", [*PREFIX, {"use": "prune", "ratio": 0.4}, *SUFFIX], "r"), KNOWN, interactions_of(project)
    )
    assert [each.code for each in judged.errors] == ["EK501"]


def test_a_projects_surroundings_are_known_once_its_models_were_looked_at(tiny: Project) -> None:
    from edgekit.training.surveying import survey_of

    surveys = {role: survey_of(tiny, Splits(tiny), role) for role in tiny.roles}
    values, unknown = surroundings_of(tiny, find_target("rpi4"), surveys).known(Role.STUDENT)
    assert values["architecture"] == "cnn" and not unknown
    assert 0 < values["student_share"] < 1 and values["odd_channels"] is False


def test_a_step_that_heads_belong_to_is_not_there_yet() -> None:
    """EK302 speaks of a step that is still to be written: its condition is held against a technique."""
    from edgekit.planning.interactions import fits

    row = next(each for each in shipped_interactions() if each.code == "EK302")
    assert fits(row.step or {}, {"family": "pruning", "structure": "heads"})
    assert not fits(row.step or {}, {"family": "pruning", "structure": "channels"})
    assert RecipeStep(step_from("prune", {}, "r"), Role.STUDENT).step.technique(None).structure == "channels"
