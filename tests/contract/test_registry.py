import pytest

from edgekit.contract.registry import load_all, step_from
from edgekit.contract.step import Step
from edgekit.deprecation import RenamedWarning
from edgekit.errors import RecipeError

load_all()


def test_every_file_of_the_room_registers_its_step() -> None:
    torch_steps = {"train", "load", "load-part", "distill", "prune", "sparsify", "quantize-weights", "qat"}
    file_steps = {
        "simplify",
        "quantize",
        "quantize-dynamic",
        "weight-only",
        "keep",
        "mixed-precision",
        "fuse",
        "tflite",
    }
    file_steps |= {"tflite-dynamic"}
    assert set(Step.registry) == torch_steps | {"export"} | file_steps


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
def test_a_wrong_step_or_option_is_reported(use: str, options: dict[str, object], told: str, hint: str) -> None:
    with pytest.raises(RecipeError) as raised:
        step_from(use, options, "recipe, step 1")
    assert told in raised.value.message
    assert "recipe, step 1" in raised.value.message
    assert hint in raised.value.hint


def test_a_former_value_of_an_option_is_accepted_with_a_warning() -> None:
    with pytest.warns(RenamedWarning, match=r"step 1, step 'quantize', option 'operators': 'products' is now"):
        step = step_from("quantize", {"operators": "products"}, "recipe, step 1")
    assert step.options()["operators"] == "conv-matmul"


def test_former_values_lead_to_values_that_the_option_accepts() -> None:
    for name, kind in Step.registry.items():
        for option, former in kind.former_values.items():
            for current in former.values():
                assert step_from(name, {option: current}, "test").options()[option] == current
