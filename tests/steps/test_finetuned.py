from dataclasses import fields

from edgekit.contract.registry import load_all
from edgekit.contract.step import Step
from edgekit.steps.finetuned import FineTunedStep
from edgekit.steps.prune import Prune
from edgekit.steps.quantize_weights import QuantizeWeights
from edgekit.steps.sparsify import Sparsify
from edgekit.training.loop import Schedule
from edgekit.training.trained import Training

load_all()


def test_what_is_shared_is_no_step_of_its_own() -> None:
    assert FineTunedStep not in Step.registry.values()
    assert {Prune, QuantizeWeights, Sparsify} <= set(Step.registry.values())


def test_its_options_are_the_schedule_of_the_fine_tuning() -> None:
    for kind in (Prune, QuantizeWeights, Sparsify):
        training = kind(epochs=7, learning_rate=0.25, weight_decay=0.125, batch_norm="kept").training
        assert training == Training(Schedule(7, 0.25, 0.125), "kept")
        assert kind(epochs=0).training.schedule.epochs == 0


def test_what_they_need_and_keep_is_the_same() -> None:
    for kind in (Prune, QuantizeWeights, Sparsify):
        shared = FineTunedStep.contract
        assert (kind.contract.requires, kind.contract.provides) == (shared.requires, shared.provides)
        assert {each.name for each in fields(FineTunedStep)} <= {each.name for each in fields(kind)}
