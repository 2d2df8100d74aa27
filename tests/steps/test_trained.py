import pytest

from edgekit.contract.registry import load_all, step_from
from edgekit.contract.step import Step
from edgekit.errors import RecipeError
from edgekit.steps.distill import Distill
from edgekit.steps.train import Train
from edgekit.steps.trained import TrainedStep
from edgekit.training.loop import Schedule
from edgekit.training.trained import Training

load_all()


def test_what_is_shared_is_no_step_of_its_own() -> None:
    assert TrainedStep not in Step.registry.values()


def test_its_options_say_how_the_module_is_trained() -> None:
    for kind in (Train, Distill):
        assert kind().training.batch_norm == "re-estimated"
        value = kind(epochs=7, learning_rate=0.25, weight_decay=0.125, batch_norm="kept").training
        assert value == Training(Schedule(7, 0.25, 0.125), "kept")
    with pytest.raises(RecipeError, match="epochs"):
        step_from("train", {"epochs": 0}, "recipe")
