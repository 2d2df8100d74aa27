import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from edgekit.contract.registry import load_all
from edgekit.contract.step import Step, TargetView
from edgekit.target_files import find_target
from edgekit.traits import Trait

load_all()


@pytest.mark.parametrize("name", sorted(Step.registry))
def test_a_contract_is_consistent(name: str) -> None:
    kind = Step.registry[name]
    contract = kind.contract
    assert kind.__doc__
    assert contract.target <= set(find_target("rpi4").__struct_fields__)
    left = (contract.requires & contract.preserves) | contract.provides
    assert not {Trait.FLOAT, Trait.INTEGER} <= left, "a model is float or integer"
    assert set(kind().options()) == {each.name for each in fields(kind)}


@pytest.mark.parametrize(
    "name", ["simplify", "quantize", "weight-only", "keep", "quantize-dynamic", "mixed-precision", "fuse"]
)
def test_steps_on_files_need_no_extra(name: str) -> None:
    value = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["dependencies"]
    installed = {re.split("[<>=!~ ]", each)[0] for each in value}
    assert set(Step.registry[name].contract.packages) <= installed


def test_a_step_sees_only_the_fields_of_the_target_that_it_declares() -> None:
    view = TargetView(find_target("rpi4"), frozenset({"channel_multiple"}))
    assert view.channel_multiple == 8
    with pytest.raises(AttributeError, match="does not declare"):
        _ = view.quantization
