from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from torch import nn

from edgekit.planning.interactions import shipped_interactions
from edgekit.planning.lint import PlanningContext, lint
from edgekit.planning.recipe import Recipe, find_recipe, recipe_from, shipped_recipes
from edgekit.planning.remedies import channel_share, propose
from edgekit.progress import Silent
from edgekit.pruning.share import Share
from edgekit.pruning.units import prune_units
from edgekit.target_files import find_target
from edgekit.training.batches import TensorBatch
from edgekit.traits import Role
from tests.conftest import examples
from tests.planning.test_lint import CNN, KNOWN, PREFIX, SUFFIX, TRANSFORMER
from tests.strategies import recipes

OF_TRANSFORMERS = KNOWN.copy_with(
    surveys={Role.TEACHER: replace(TRANSFORMER, parameters=2000), Role.STUDENT: TRANSFORMER}
)


def names(recipe: Recipe) -> list[str]:
    return [each.step.name() for each in recipe.steps]


def test_the_failed_pipeline_becomes_the_recommended_order() -> None:
    proposal = propose(find_recipe("failed-int4-first", Path()), KNOWN, shipped_interactions())
    assert proposal.judgement.is_clean
    found = names(proposal.recipe)
    assert found[:2] == ["train", "distill"]
    assert [each for each in found if each in ("distill", "prune", "quantize", "fuse")] == [
        "distill", "prune", "quantize", "fuse",
    ]  # fmt: skip
    assert proposal.changes[-1].startswith("order: train teacher, distill, prune")
    assert sum(each.startswith("order") for each in proposal.changes) == 1


@pytest.mark.parametrize("name", sorted(set(shipped_recipes()) - {"failed-int4-first"}))
def test_a_clean_recipe_is_left_as_it_is(name: str) -> None:
    recipe = find_recipe(name, Path())
    proposal = propose(
        recipe, OF_TRANSFORMERS if "dynamic" in name or "only" in name else KNOWN, shipped_interactions()
    )
    assert proposal.recipe.steps == recipe.steps and not proposal.changes


@pytest.mark.parametrize("needing", ["keep", "mixed-precision"])
def test_what_works_on_integers_waits_for_them_or_goes(needing: str) -> None:
    """A quantization that nobody asked for was added for it, and could not stand beside the one that came later."""
    late = recipe_from("r", [{"use": "distill"}, {"use": needing}, {"use": "export"}, {"use": "quantize"}], "r")
    proposal = propose(late, KNOWN, shipped_interactions())
    assert proposal.judgement.is_clean
    found = names(proposal.recipe)
    assert "quantize-dynamic" not in found and found.index("quantize") < found.index(needing)
    without = propose(
        recipe_from("r", [{"use": "distill"}, {"use": "export"}, {"use": needing}], "r"), KNOWN, shipped_interactions()
    )
    assert without.judgement.is_clean and needing not in names(without.recipe)
    assert any(f"removed {needing}" in each for each in without.changes)


@settings(max_examples=examples(200))
@given(recipes())
def test_every_proposal_lints_clean_and_is_proposed_again(recipe: Recipe) -> None:
    given_recipe = lint(recipe, KNOWN, shipped_interactions())
    proposal = propose(recipe, KNOWN, shipped_interactions())
    assert proposal.judgement.is_clean, ([each.code for each in proposal.judgement.findings], proposal.changes)
    assert propose(proposal.recipe, KNOWN, shipped_interactions()).recipe.steps == proposal.recipe.steps
    assert bool(proposal.changes) == (proposal.recipe.steps != recipe.steps)
    if given_recipe.is_clean:
        assert not proposal.changes, "no finding asks for it"


@settings(max_examples=examples(200))
@given(recipes())
def test_a_proposal_keeps_each_techniques_amount_or_says_what_it_changed(recipe: Recipe) -> None:
    proposal = propose(recipe, KNOWN, shipped_interactions())
    left = [(each.label, each.step) for each in proposal.recipe.steps]
    for each in recipe.steps:
        if (each.label, each.step) in left:
            left.remove((each.label, each.step))
        else:
            told = [change for change in proposal.changes if each.step.name() in change]
            assert told, (each.label, proposal.changes)


def test_a_transformer_is_offered_the_ranges_of_each_run() -> None:
    recipe = recipe_from("r", [*PREFIX, {"use": "prune"}, *SUFFIX], "r")
    proposal = propose(recipe, OF_TRANSFORMERS, shipped_interactions())
    assert proposal.judgement.is_clean
    assert "quantize-dynamic" in names(proposal.recipe) and "prune" in names(proposal.recipe)


def test_a_transformer_may_lose_channels_alone() -> None:
    """Feed-forward layers alone are pruned in practice: no reason to change the recipe."""
    recipe = recipe_from("r", [*PREFIX, {"use": "prune", "units": "channels"}, *SUFFIX], "r")
    proposal = propose(recipe, OF_TRANSFORMERS, shipped_interactions())
    (pruned,) = [each.step for each in proposal.recipe.steps if each.step.name() == "prune"]
    assert pruned.options()["units"] == "channels"
    assert not [each for each in proposal.changes if "EK301" in each]


def test_without_a_teacher_distillation_becomes_training() -> None:
    alone = PlanningContext(find_target("rpi4"), {Role.STUDENT: CNN}, frozenset({Role.STUDENT}))
    proposal = propose(recipe_from("r", [*PREFIX, *SUFFIX], "r"), alone, shipped_interactions())
    assert names(proposal.recipe)[0] == "train" and "distill" not in names(proposal.recipe)
    assert proposal.judgement.is_clean


def test_a_share_of_weights_becomes_the_share_of_channels_that_leaves_as_many() -> None:
    recipe = recipe_from("r", [*PREFIX, {"use": "sparsify", "sparsity": 0.3, "epochs": 7}, *SUFFIX], "r")
    proposal = propose(recipe, KNOWN, shipped_interactions())
    pruned = next(each.step for each in proposal.recipe.steps if each.step.name() == "prune")
    assert pruned.options()["ratio"] == 0.16 and pruned.options()["epochs"] == 7, "0.84 x 0.84 is 0.7"
    assert proposal.changes[0] == (
        "EK401: sparsify became prune with ratio = 0.16: as many weights in whole channels, another compression with a "
        "loss of its own"
    )


@pytest.mark.parametrize("share", [0.5, 0.8, 0.9])
def test_a_share_of_channels_leaves_as_many_weights_of_a_real_network(share: float) -> None:
    layers = [nn.Conv2d(3, 128, 3), nn.ReLU(), nn.Conv2d(128, 128, 3), nn.ReLU(), nn.Conv2d(128, 128, 3), nn.ReLU()]
    net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10)).eval()
    whole = sum(each.numel() for each in net.parameters())
    example = TensorBatch((torch.zeros(1, 3, 32, 32),), None)
    done = prune_units(net, example, Share(channel_share(share), 1), "all", Silent())
    left = sum(each.numel() for each in done.module.parameters()) / whole
    assert left == pytest.approx(1 - share, abs=0.04)
