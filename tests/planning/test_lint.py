from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.contract.step import Step
from edgekit.data.splits import Splits
from edgekit.planning.interactions import Interaction, PairVerdict, Severity, shipped_interactions
from edgekit.planning.lint import LintResult, PlanningContext, interactions_of, lint, merge_findings, planning_context
from edgekit.planning.plan import walk_recipe
from edgekit.planning.recipe import Recipe, RecipeStep, find_recipe, recipe_from, shipped_recipes
from edgekit.planning.words import recipe_in_words
from edgekit.project.project import Project, load_project
from edgekit.pruning.share import PrunableUnits
from edgekit.survey.survey import Survey
from edgekit.target_files import find_target
from edgekit.traits import Role
from tests.conftest import MakeProject, examples
from tests.planning.examples import surroundings_given
from tests.strategies import recipes

WIDE = PrunableUnits({"conv": (64, 1)}, {"attention": 8}, {})
CNN = Survey("cnn", 1000, (16, 32), batch_norms=True, prunable=WIDE)
TEACHER = replace(CNN, parameters=2000)
TRANSFORMER = replace(CNN, architecture="transformer", batch_norms=False)
KNOWN = PlanningContext(find_target("rpi4"), {Role.TEACHER: TEACHER, Role.STUDENT: CNN})
PREFIX = [{"use": "train", "role": "teacher"}, {"use": "distill"}]
SUFFIX = [{"use": "export"}, {"use": "simplify"}, {"use": "quantize"}, {"use": "fuse"}]


def judged(tables: list[dict[str, object]], context: PlanningContext = KNOWN) -> LintResult:
    return lint(recipe_from("r", tables, "r"), context, shipped_interactions())


def codes(tables: list[dict[str, object]], context: PlanningContext = KNOWN) -> dict[str, Severity]:
    return {each.code: each.severity for each in judged(tables, context).findings}


def about(name: str, context: PlanningContext = KNOWN) -> dict[str, Severity]:
    judged = lint(find_recipe(name, Path()), context, shipped_interactions())
    return {each.code: each.severity for each in judged.findings}


def test_the_failed_pipeline_is_an_error_with_its_culprits_named() -> None:
    judged = lint(find_recipe("failed-int4-first", Path()), KNOWN, shipped_interactions())
    assert {each.code for each in judged.errors} == {"EK101", "EK107", "EK203", "EK304"}, (
        "each was measured to cost much"
    )
    first = judged.errors[0]
    assert "step 2 quantize-weights teacher and step 3 sparsify teacher" in first.message
    assert first.step == 1 and first.other == 2 and first.fix and first.evidence


@pytest.mark.parametrize("name", ["distil-prune-int8", "distil-int8", "distil-qat-int8"])
@pytest.mark.parametrize("target", ["rpi3", "rpi4", "rpi5", "rpi-zero2w", "arm64-generic", "x86-avx2", "x86-vnni"])
def test_what_edgekit_recommends_lints_clean_for_every_target(name: str, target: str) -> None:
    found = about(name, KNOWN.copy_with(target=find_target(target)))
    assert not [code for code, severity in found.items() if severity is not Severity.INFO], found


def test_every_shipped_recipe_but_the_failed_one_is_clean_for_its_kind_of_model() -> None:
    for name in shipped_recipes():
        survey = TRANSFORMER if name == "weight-only-int4" or "dynamic" in name else CNN
        context = KNOWN.copy_with(surveys={Role.TEACHER: replace(survey, parameters=2000), Role.STUDENT: survey})
        judged = lint(find_recipe(name, Path()), context, shipped_interactions())
        assert judged.is_clean == (name != "failed-int4-first"), (name, judged.findings)


def test_the_failed_pipeline_is_judged_alike_under_any_name() -> None:
    failed = find_recipe("failed-int4-first", Path())
    one, other = (lint(replace(failed, name=name), KNOWN, shipped_interactions()) for name in ("a", "distil-int8"))
    assert one.findings == other.findings


@given(recipes())
def test_a_random_recipe_is_judged_whole(recipe: Recipe) -> None:
    judged = lint(recipe, KNOWN, shipped_interactions())
    order = list(Severity)
    assert [order.index(each.severity) for each in judged.findings] == sorted(
        order.index(each.severity) for each in judged.findings
    )
    for each in judged.findings:
        assert each.step is None or 0 <= each.step < len(recipe.steps)
        assert each.other is None or (each.step is not None and each.step < each.other)
        assert each.verdict is not PairVerdict.GOOD and each.message and each.evidence
    assert all(each.verdict is PairVerdict.GOOD for each in judged.sound)
    assert not judged.undecided, "everything is known here"


@pytest.mark.parametrize("row", [each for each in shipped_interactions() if each.example], ids=lambda row: row.code)
def test_each_row_speaks_of_its_example_and_not_of_the_mended_twin(row: Interaction) -> None:
    assert row.example is not None
    given = row.example.given if row.example.silent_given is None else row.example.silent_given
    for words, around, expected in (
        (row.example.triggers, row.example.given, True),
        (row.example.silent, given, False),
    ):
        judged = lint(recipe_in_words(words), surroundings_given(around), shipped_interactions())
        found = {each.code: each for each in (*judged.findings, *judged.sound)}
        assert (row.code in found) == expected, (words, sorted(found))
        assert not judged.walked.faults, "examples can be run"
        if expected:
            assert found[row.code].severity is (row.severity or Severity.INFO)


def test_the_model_and_the_target_decide() -> None:
    pruned = [*PREFIX, {"use": "prune"}, *SUFFIX]
    models = {Role.TEACHER: TRANSFORMER, Role.STUDENT: TRANSFORMER}
    channels = [*PREFIX, {"use": "prune", "units": "channels"}, *SUFFIX]
    assert codes(channels, KNOWN.copy_with(surveys=models)).items() >= {"EK301": "info", "EK307": "warning"}.items()
    assert "EK301" not in codes(pruned, KNOWN.copy_with(surveys=models))
    large = {Role.TEACHER: replace(CNN, parameters=9000), Role.STUDENT: CNN}
    assert "EK112" in codes(pruned, KNOWN.copy_with(surveys=large))
    assert codes([*PREFIX, {"use": "export"}, {"use": "simplify"}, {"use": "weight-only"}])["EK308"] == "error"
    assert "EK404" in codes(pruned) and "EK404" not in codes(pruned, KNOWN.copy_with(target=find_target("rpi5")))
    signed = [*PREFIX, *SUFFIX[:2], {"use": "quantize", "activation": "int8"}, SUFFIX[3]]
    assert codes(signed, KNOWN.copy_with(target=find_target("x86-vnni")))["EK405"] == "warning"
    assert "EK405" not in codes(signed)


def test_what_is_unknown_is_undecided_not_fine() -> None:
    judged = lint(find_recipe("distil-prune-int8", Path()), PlanningContext(), shipped_interactions())
    open_rows = {each.code: each.needs for each in judged.undecided}
    assert open_rows["EK307"] == ("architecture",)
    assert "isa" in open_rows["EK403"]
    assert not judged.errors


def test_what_is_impossible_names_the_culprit_and_cannot_be_allowed() -> None:
    judged = lint(recipe_from("r", [*PREFIX, *SUFFIX, {"use": "prune"}], "r"), KNOWN, shipped_interactions())
    fault = next(each for each in judged.errors if each.code == "EK001")
    assert fault.step == 2 and fault.other == 6 and not fault.can_be_allowed, "export took the module"
    no_teacher = KNOWN.copy_with(roles=frozenset({Role.STUDENT}))
    assert "EK002" in codes([*PREFIX, *SUFFIX], no_teacher)
    assert "EK003" in codes(PREFIX)


def test_three_techniques_are_no_finding_and_graph_steps_do_not_count() -> None:
    assert "EK201" not in codes([*PREFIX, {"use": "prune"}, *SUFFIX])


def test_a_finding_that_holds_for_all_targets_stands_once_and_names_none() -> None:
    recipe = recipe_from("r", [*PREFIX, {"use": "sparsify"}, *SUFFIX], "r")
    targets = {name: KNOWN.copy_with(target=find_target(name)) for name in ("rpi3", "rpi4", "rpi5")}
    judged = {name: lint(recipe, each, shipped_interactions()) for name, each in targets.items()}
    found = merge_findings(list(judged.values()))
    assert [each.target for each in found if each.code in ("EK401", "EK105")] == [None, None]
    assert [each.target for each in found if each.code == "EK404"] == ["rpi3", "rpi4"]
    severities = [list(Severity).index(each.severity) for each in found]
    assert severities == sorted(severities)
    assert merge_findings([judged["rpi4"]]) == judged["rpi4"].findings


def test_a_projects_own_rows_are_read(make_project: MakeProject) -> None:
    folder = make_project()
    (folder / "interactions.toml").write_text(
        '[[interactions]]\ncode = "EK501"\ntitle = "too much"\nstep = { sparsity = { min = 0.3 } }\n'
        'verdict = "poor"\nseverity = "error"\nwhy = "We tried."\nfix = "less"\n'
        'evidence = [{ kind = "measured", source = "us", says = "it failed" }]\n'
    )
    project = load_project(folder)
    judged = lint(
        recipe_from("r", [*PREFIX, {"use": "prune", "ratio": 0.4}, *SUFFIX], "r"), KNOWN, interactions_of(project)
    )
    assert [each.code for each in judged.errors] == ["EK501"]


def test_a_projects_surroundings_are_known_once_its_models_were_looked_at(tiny: Project) -> None:
    from edgekit.survey.module_survey import prunable_units_of, survey_of

    units = prunable_units_of(tiny, Splits(tiny), Role.STUDENT)
    surveys = {role: replace(survey_of(tiny, Splits(tiny), role), prunable=units) for role in tiny.roles}
    values, unknown = planning_context(tiny, find_target("rpi4"), surveys).known(Role.STUDENT)
    assert values["architecture"] == "cnn" and not unknown
    assert 0 < values["student_share"] < 1 and values["odd_channels"] is False


def with_simplify(recipe: Recipe, place: int) -> Recipe | None:
    """The recipe with another simplify, which loses nothing, after a step that leaves the student as a plain graph."""
    steps = walk_recipe(recipe, KNOWN.roles).steps
    after = [
        each.index
        for each in steps
        if each.role is Role.STUDENT and Step.registry["simplify"].contract.requires <= each.facts
    ]
    if not after:
        return None
    index = after[place % len(after)] + 1
    added = RecipeStep(Step.registry["simplify"](), Role.STUDENT)
    return replace(recipe, steps=(*recipe.steps[:index], added, *recipe.steps[index:]))


@settings(max_examples=examples(500))
@given(recipes(), st.integers(0, 7), st.sampled_from(["distil-int8", "mine"]))
def test_verdicts_hang_on_steps_and_options_alone(recipe: Recipe, place: int, name: str) -> None:
    """Not on a recipe's name, on defaults written out, or on steps that lose nothing."""
    explicit = [{"use": each.step.name(), "role": each.role.value, **each.step.options()} for each in recipe.steps]
    one = lint(recipe, KNOWN, shipped_interactions())
    other = lint(recipe_from(name, explicit, "other"), KNOWN, shipped_interactions())
    assert [each.to_json() for each in one.findings if each.step is not None] == [
        each.to_json() for each in other.findings if each.step is not None
    ]
    assert one.walked.steps == other.walked.steps and one.undecided == other.undecided
    longer = with_simplify(recipe, place)
    if longer is not None and not one.walked.faults:
        assert verdicts(lint(longer, KNOWN, shipped_interactions())) == verdicts(one)


def verdicts(judgement: LintResult) -> list[tuple[str, str]]:
    return sorted((each.code, each.verdict.value) for each in (*judgement.findings, *judgement.sound))


@settings(max_examples=examples(500))
@given(recipes())
def test_a_poor_pair_that_is_swapped_is_judged_otherwise(recipe: Recipe) -> None:
    judged = lint(recipe, KNOWN, shipped_interactions())
    poor = [each for each in judged.findings if each.verdict is PairVerdict.POOR and each.remedy is not None]
    for each in [each for each in poor if each.remedy is not None and (each.remedy.swap or each.remedy.to_student)][:2]:
        assert each.step is not None and each.other is not None
        steps = list(recipe.steps)
        steps[each.step], steps[each.other] = steps[each.other], steps[each.step]
        swapped = lint(replace(recipe, steps=tuple(steps)), KNOWN, shipped_interactions())
        assert (each.code, each.step, each.other) not in {(new.code, new.step, new.other) for new in swapped.findings}


def prunable(units: PrunableUnits | None, target: str = "rpi4") -> PlanningContext:
    student = replace(CNN, prunable=units)
    return KNOWN.copy_with(target=find_target(target), surveys={Role.TEACHER: TEACHER, Role.STUDENT: student})


def test_pruning_that_removes_nothing_is_an_error_before_training() -> None:
    def found(prunable_units: PrunableUnits, **options: object) -> set[str]:
        steps = [*PREFIX, {"use": "prune", **options}, *SUFFIX]
        return set(codes(steps, prunable(prunable_units))) & {"EK312", "EK313"}

    nothing, narrow = PrunableUnits({}, {}, {}), PrunableUnits({"conv": (16, 1)}, {}, {})
    assert found(nothing) == {"EK312"}
    assert found(narrow, ratio=0.5) == set(), "16 channels become 8"
    assert found(narrow, ratio=0.05) == {"EK313"}
    assert found(narrow, ratio=0.5, units="heads") >= {"EK313"}, "there are none"


def test_pruning_that_was_not_tried_is_undecided_and_a_second_one_is_not_judged() -> None:
    steps = [*PREFIX, {"use": "prune"}, *SUFFIX]
    undecided = {each.code: each.needs for each in judged(steps, prunable(None)).undecided}
    assert undecided["EK312"] == undecided["EK313"] == ("prunable",)
    narrow = prunable(PrunableUnits({"conv": (16, 1)}, {}, {}))
    twice = judged([*PREFIX, {"use": "prune", "ratio": 0.5}, {"use": "prune", "ratio": 0.1}, *SUFFIX], narrow)
    assert "EK313" not in {each.code for each in (*twice.findings, *twice.undecided)}


def test_a_teacher_without_parameters_has_no_share() -> None:
    surveys = {Role.TEACHER: replace(TEACHER, parameters=0), Role.STUDENT: CNN}
    values, unknown = KNOWN.copy_with(surveys=surveys).known(Role.STUDENT)
    assert values["student_share"] is None and "student_share" in unknown


def in_words(words: str, context: PlanningContext = KNOWN) -> set[str]:
    return {each.code for each in lint(recipe_in_words(words), context, shipped_interactions()).findings}


@pytest.mark.parametrize(
    ("words", "absent"),
    [
        ("load teacher; load; prune ratio=0.5 epochs=0; distill; export", {"EK303", "EK202"}),
        ("load; prune ratio=0.5 epochs=0; train; export", {"EK303"}),
        ("load; prune ratio=0.5 epochs=0; qat; export; simplify; quantize", {"EK303"}),
        ("load; sparsify epochs=0 batch_norm=kept; train; export", {"EK304", "EK314"}),
        ("load; quantize-weights; prune epochs=5; export", {"EK202", "EK305"}),
    ],
)
def test_training_that_follows_is_fine_tuning(words: str, absent: set[str]) -> None:
    assert not in_words(words) & absent


def test_a_teachers_fine_tuning_counts_only_before_it_teaches() -> None:
    words = "train teacher; prune teacher ratio=0.5 epochs=0; {}distill; {}export"
    assert in_words(words.format("", "")) >= {"EK107", "EK202"}
    assert not in_words(words.format("train teacher; ", "")) & {"EK107", "EK202", "EK303"}
    assert in_words(words.format("", "train teacher; ")) >= {"EK107", "EK202"}, "the student learnt before"


def test_a_technique_in_several_rounds_counts_once() -> None:
    rounds = "load teacher; load; prune ratio=0.3 epochs=0; distill; prune ratio=0.3 epochs=0; distill; export; {}"
    assert "EK201" not in in_words(rounds.format("simplify; quantize"))
    assert "EK201" in in_words(f"sparsify; {rounds.format('simplify; quantize')}")


def test_a_pruned_copy_of_the_teacher_is_told_from_a_small_student(make_project: MakeProject) -> None:
    words = "load teacher; load; prune epochs=0; distill; export"

    def sound(context: PlanningContext) -> set[str]:
        return {each.code for each in lint(recipe_in_words(words), context, shipped_interactions()).sound}

    copy = KNOWN.copy_with(surveys={Role.TEACHER: CNN, Role.STUDENT: CNN})
    assert "EK117" in sound(copy) and "EK113" not in in_words(words, copy)
    assert "EK117" not in sound(KNOWN) and "EK113" in in_words(words)
    project = load_project(make_project({'student = "model:student"': 'student = "model:teacher"'}))
    same_function = planning_context(project, find_target("rpi4"))
    assert same_function.student_is_teacher and "EK117" in sound(same_function)
    unknown = lint(recipe_in_words(words), planning_context(None, None), shipped_interactions())
    assert {"EK113": ("student_is_teacher",)}.items() <= {each.code: each.needs for each in unknown.undecided}.items()


def test_pruning_nearly_all_channels_needs_many_epochs() -> None:
    assert "EK318" in in_words("load; prune ratio=0.95 epochs=1; export")
    assert "EK318" not in in_words("load; prune ratio=0.95 epochs=1; train epochs=60; export")
    assert "EK318" not in in_words("load; prune ratio=0.5 epochs=1; export")


def test_dynamic_ranges_are_for_matrix_products() -> None:
    words = "train; export; simplify; quantize-dynamic"
    assert "EK316" in in_words(words)
    assert "EK316" not in in_words(
        words, KNOWN.copy_with(surveys={Role.STUDENT: TRANSFORMER, Role.TEACHER: TRANSFORMER})
    )


def test_eight_bits_twice_are_no_error() -> None:
    words = "train; quantize-weights bits={} epochs=10; export; simplify; quantize"
    assert {"EK116"} == in_words(words.format(8)) & {"EK109", "EK116"}
    assert {"EK109"} == in_words(words.format(4)) & {"EK109", "EK116"}
