import pytest

from edgekit.contract.registry import load_all
from edgekit.contract.step import Step
from edgekit.planning.options import options_of
from edgekit.steps.export import Export
from edgekit.steps.prune import Prune
from edgekit.steps.quantize_weights import QuantizeWeights

load_all()


@pytest.mark.parametrize("name", sorted(Step.registry))
def test_every_option_of_every_step_says_what_it_may_be(name: str) -> None:
    step = Step.registry[name]()
    result = options_of(step)
    assert {each.name: each.value for each in result} == step.options()
    assert all(each.allowed for each in result)


def test_limits_choices_and_meanings_are_those_of_the_declaration() -> None:
    values = {each.name: each for each in options_of(QuantizeWeights(bits=3))}
    assert (values["bits"].value, values["bits"].allowed) == (3, "integer, >= 2, <= 8")
    assert values["granularity"].allowed == "channel, group, tensor"
    assert values["granularity"].meaning.startswith("The weights that share a scale")
    assert values["epochs"].meaning.startswith("Epochs of fine-tuning on the levels"), "its own, not the inherited one"
    assert values["batch_norm"].meaning.startswith("Batch-norm statistics"), "inherited"
    assert {each.name: each.allowed for each in options_of(Prune())}["ratio"] == "number, > 0, < 1"
    assert values["symmetric"].allowed == "true, false"
    assert options_of(Export()) == ()


def test_what_is_not_at_its_default_is_told_apart() -> None:
    assert Prune(ratio=0.5, epochs=30).changed_options() == {"ratio": 0.5}
    assert Prune().changed_options() == {}
