from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given

from edgekit.planning.advice import Advice, advise
from edgekit.planning.interactions import Severity, shipped_interactions
from edgekit.planning.lint import PlanningContext, lint
from edgekit.planning.recipe import Recipe, find_recipe
from edgekit.planning.words import recipe_in_words
from tests.planning.test_lint import KNOWN
from tests.strategies import recipes


def advice(recipe: Recipe | str, context: PlanningContext = KNOWN) -> Advice:
    whole = recipe_in_words(recipe) if isinstance(recipe, str) else recipe
    return advise(lint(whole, context, shipped_interactions()), context, shipped_interactions())


def labels(recipe: Recipe) -> list[str]:
    return [each.label for each in recipe.steps]


FAILED = find_recipe("failed-int4-first", Path())


@pytest.mark.parametrize("context", [KNOWN, PlanningContext()], ids=["known", "unknown"])
def test_of_the_failed_pipeline_int4_first_is_the_primary_flaw(context: PlanningContext) -> None:
    found = advice(FAILED, context)
    assert found.primary is not None
    assert FAILED.steps[found.primary.step].label == "quantize-weights teacher"
    assert found.primary.finding.code == "EK101" and found.primary.change == "without it"
    assert found.primary.vanishing == ("EK101", "EK108", "EK202", "EK203")


def test_its_damage_goes_through_pruning_and_distillation() -> None:
    pruning, distillation = advice(FAILED).cascade
    assert (FAILED.steps[pruning.step].label, pruning.through, pruning.codes) == ("sparsify teacher", (1,), ("EK101",))
    assert "magnitudes" in pruning.needed
    assert (FAILED.steps[distillation.step].label, distillation.through) == ("distill", (1, 2))
    assert {"EK107", "EK108"} <= set(distillation.codes) and "teacher" in distillation.needed


def test_the_recommended_order_is_proposed_and_pruning_could_go() -> None:
    found = advice(FAILED)
    assert found.proposal.judgement.is_clean
    assert labels(found.proposal.recipe) == [
        "train teacher", "distill", "prune", "export", "simplify", "quantize", "fuse",
    ]  # fmt: skip
    first = found.omissions[0]
    assert found.proposal.recipe.steps[first.step].label == "prune"
    assert "EK105" in first.codes and "moderate" in first.reason
    assert len(found.omissions) == 1, "what the table calls good is not to be left out"


@pytest.mark.parametrize(
    ("words", "step", "change"),
    [
        ("train; prune epochs=0; export", "prune", "without it"),
        ("train teacher; distill; sparsify; export", "sparsify", "without it"),
        ("train teacher; distill; export; prune; simplify; quantize; fuse", "export", "after step 4 prune"),
        ("train; load; export", "train", "without it"),
        ("train; export; simplify; quantize weight=uint8", "quantize", "without it"),
    ],
)
def test_the_primary_flaw_of_smaller_missteps(words: str, step: str, change: str) -> None:
    recipe = recipe_in_words(words)
    found = advice(recipe).primary
    assert found is not None
    assert (recipe.steps[found.step].label, found.change) == (step, change)


@pytest.mark.parametrize("name", ["distil-prune-int8", "distil-int8", "distil-qat-int8", "train-prune-int8"])
def test_a_clean_recipe_has_no_flaw_and_is_its_own_proposal(name: str) -> None:
    recipe = find_recipe(name, Path())
    found = advice(recipe)
    assert found.primary is None and not found.cascade
    assert found.proposal.recipe == recipe and not found.proposal.changes
    assert [recipe.steps[each.step].label for each in found.omissions] == (["prune"] if "distil-prune" in name else [])


def test_what_cannot_run_damages_nothing() -> None:
    found = advice("train; export; prune; simplify; quantize")
    assert found.primary is not None and found.primary.finding.code == "EK001"
    assert not found.cascade
    assert labels(found.proposal.recipe) == ["train", "prune", "export", "simplify", "quantize"]


@pytest.mark.parametrize(
    "words",
    [
        pytest.param("train; sparsify; export; simplify; quantize; fuse", id="pruned, then quantized: a good pair"),
        pytest.param(
            "train; sparsify sparsity=0.8 gradual=true; qat; export; simplify; quantize; fuse", id="PQAT of TFMOT"
        ),
        pytest.param(
            "load teacher; load; prune ratio=0.5 epochs=0; distill; export; simplify; quantize",
            id="the student's pruning",
        ),
        pytest.param("train teacher; distill; sparsify; export; simplify; quantize", id="a flaw of size alone"),
        pytest.param("load; prune ratio=0.3 epochs=0; train; sparsify; export", id="training ends the damage"),
        pytest.param("train; qat; sparsify; export; simplify; quantize", id="the pruning undoes the qat"),
    ],
)
def test_what_is_not_damaged_is_in_no_cascade(words: str) -> None:
    assert not advice(words).cascade


def test_damage_reaches_distillation_through_the_teacher_alone() -> None:
    words = "train teacher; {}; train; sparsify epochs=0; distill; prune; export"
    (told, later) = advice(words.format("prune teacher ratio=0.5 epochs=0")).cascade
    assert (told.step, told.through, set(told.codes)) == (4, (1,), {"EK107", "EK202"})
    assert later.step == 5 and later.through == (4,), "the student that learnt from it is pruned"
    assert not advice(words.format("prune teacher ratio=0.5 epochs=0; train teacher")).cascade


@pytest.mark.parametrize(
    "words",
    [
        "load teacher; load; prune ratio=0.5 epochs=0; distill; export; simplify; quantize",
        "load teacher; load; prune ratio=0.3 epochs=0; distill; prune ratio=0.3 epochs=0; distill; export; simplify; "
        "quantize",
        "train teacher; train; prune; qat; distill; export; simplify; quantize; fuse",
        "load; prune ratio=0.3 epochs=0; train; export",
        "load; prune ratio=0.3 epochs=0; qat; export; simplify; quantize",
    ],
)
def test_a_published_order_has_neither_flaw_nor_better_order(words: str) -> None:
    """Minitron (arXiv 2408.11796) in one round and in two, arXiv 2604.04988, and fine-tuning by a step of its own."""
    found = advice(words)
    assert found.primary is None and not found.cascade
    assert found.proposal.recipe == recipe_in_words(words) and not found.proposal.changes


@given(recipes())
def test_advice_on_any_recipe_holds_together(recipe: Recipe) -> None:
    judged = lint(recipe, KNOWN, shipped_interactions())
    found = advise(judged, KNOWN, shipped_interactions())
    grave = [each for each in judged.findings if each.severity is not Severity.INFO]
    if found.primary is None:
        assert not found.cascade
    else:
        assert found.primary.finding in grave
        assert found.primary.step in (found.primary.finding.step, found.primary.finding.other)
        assert set(found.primary.vanishing) <= {each.code for each in grave}
    good = {(each.step, each.other) for each in judged.sound}
    for each in found.cascade:
        assert found.primary is not None and each.through
        assert all(index < each.step and (index, each.step) not in good for index in each.through)
    for omission in found.omissions:
        steps = list(found.proposal.recipe.steps)
        del steps[omission.step]
        assert lint(replace(recipe, steps=tuple(steps)), KNOWN, shipped_interactions()).is_clean
