from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.model.counting import inspected
from edgekit.model.facts import activation_types, observed_facts
from edgekit.model.reading import load_model
from edgekit.project.project import Project
from edgekit.steps.quantize import Quantize
from edgekit.steps.step import Outcome
from edgekit.traits import Trait


@pytest.mark.parametrize(("target", "activation"), [("rpi4", "int8"), ("x86-vnni", "uint8")])
def test_the_scheme_is_the_targets(
    run_step: Callable[..., Outcome], tiny: Project, plain: Path, target: str, activation: str
) -> None:
    done = run_step(Quantize(), tiny, plain, target)
    model = load_model(done.path)
    assert activation_types(model) == {activation}
    assert {Trait.INTEGER, Trait.SHAPED, Trait.FOLDED, Trait.PORTABLE} <= observed_facts(model)
    assert done.notes["calibration_samples"] == 32
    assert inspected(done.path).weight_types.keys() == {"int8", "int32"}


def test_options_win_over_the_target(run_step: Callable[..., Outcome], tiny: Project, plain: Path) -> None:
    done = run_step(Quantize(activation="uint8", per_channel="no", calibration="percentile"), tiny, plain)
    assert activation_types(load_model(done.path)) == {"uint8"}
    assert done.notes["per_channel"] is False


def test_seven_bit_weights_where_the_target_saturates(
    run_step: Callable[..., Outcome], tiny: Project, plain: Path
) -> None:
    from onnx import numpy_helper

    largest = {}
    for target in ("x86-avx2", "x86-vnni"):
        graph = load_model(run_step(Quantize(), tiny, plain, target).path).graph
        weights = [
            numpy_helper.to_array(each) for each in graph.initializer if each.data_type == 3 and len(each.dims) > 1
        ]
        largest[target] = max(abs(each.astype(int)).max() for each in weights)
    assert largest["x86-avx2"] <= 64 < largest["x86-vnni"] <= 127
