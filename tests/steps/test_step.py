import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

import edgekit.steps
from edgekit.errors import RecipeError
from edgekit.steps.step import Step, TargetView, step_from
from edgekit.target import find_target
from edgekit.traits import Trait

edgekit.steps.load_all()


def test_every_file_of_the_room_registers_its_step() -> None:
    torch_steps = {"train", "load", "load-part", "distill", "prune", "sparsify", "quantize-weights", "qat"}
    file_steps = {"simplify", "quantize", "quantize-dynamic", "weight-only", "keep", "place", "fuse", "tflite"}
    file_steps |= {"tflite-dynamic"}
    assert set(Step.registry) == torch_steps | {"export"} | file_steps


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
    ("use", "options", "told", "hint"),
    [
        ("prun", {}, "no step 'prun'", "did you mean 'prune'?"),
        ("prune", {"ration": 0.5}, "no option 'ration'", "did you mean 'ratio'?"),
        ("prune", {"ratio": 1.5}, "'ratio' is 1.5", "correct"),
        ("distill", {"alpha": "half"}, "'alpha' is 'half'", "correct"),
        ("train", {"epochs": 0}, "'epochs' is 0", "correct"),
        ("quantize", {"activation": "int4"}, "'activation' is 'int4'", "int8"),
    ],
)
def test_a_wrong_step_or_option_is_told(use: str, options: dict[str, object], told: str, hint: str) -> None:
    with pytest.raises(RecipeError) as raised:
        step_from(use, options, "recipe, step 1")
    assert told in raised.value.message
    assert "recipe, step 1" in raised.value.message
    assert hint in raised.value.hint


@pytest.mark.parametrize("name", ["simplify", "quantize", "weight-only", "keep", "quantize-dynamic", "place", "fuse"])
def test_steps_on_files_need_no_extra(name: str) -> None:
    told = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["dependencies"]
    installed = {re.split("[<>=!~ ]", each)[0] for each in told}
    assert set(Step.registry[name].contract.packages) <= installed


def test_a_step_sees_only_the_fields_of_the_target_that_it_declares() -> None:
    view = TargetView(find_target("rpi4"), frozenset({"channel_multiple"}))
    assert view.channel_multiple == 8
    with pytest.raises(AttributeError, match="does not declare"):
        _ = view.quantization
