import pytest

from edgekit.contract.registry import load_all
from edgekit.contract.step import Step
from edgekit.contract.technique import PROPERTIES, Family, properties
from edgekit.target_files import find_target

load_all()


@pytest.mark.parametrize("name", sorted(Step.registry))
def test_every_step_s_technique_has_a_value_for_each_property_that_a_condition_may_name(name: str) -> None:
    technique = Step.registry[name]().technique(find_target("rpi4"))
    assert properties(technique).keys() == PROPERTIES
    assert technique.family in Family


@pytest.mark.parametrize("name", sorted(Step.registry))
def test_what_a_target_decides_is_unknown_without_one_and_known_with_it(name: str) -> None:
    step = Step.registry[name]()
    assert step.technique(None).unknown <= PROPERTIES
    assert not step.technique(find_target("rpi4")).unknown
