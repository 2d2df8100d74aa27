from collections.abc import Callable

import pytest

from edgekit.contract.step import Outcome
from edgekit.project.project import Project
from edgekit.steps.export import Export
from edgekit.steps.quantize_weights import QuantizeWeights
from edgekit.steps.train import Train
from edgekit.training.modules import saved_module
from edgekit.training.weight_constraints import weights_of
from tests.steps.conftest import artifact


@pytest.mark.parametrize("epochs", [0, 2])
@pytest.mark.parametrize(("granularity", "per_scale"), [("tensor", None), ("channel", 0), ("group", 4)])
def test_no_scale_has_more_levels_than_its_bits(
    run_step: Callable[..., Outcome], tiny: Project, granularity: str, per_scale: int | None, epochs: int
) -> None:
    trained = run_step(Train(epochs=1), tiny)
    step = QuantizeWeights(bits=3, granularity=granularity, group_size=4, epochs=epochs)  # type: ignore[arg-type]
    done = run_step(step, tiny, trained.path)
    for weight in weights_of(saved_module(tiny, artifact(done.path))).values():
        rows = weight.flatten(1)
        if per_scale is None:
            assert len(weight.unique()) <= 7
        else:
            pieces = [piece for row in rows for piece in (row.split(per_scale) if per_scale else [row])]
            assert all(len(piece.unique()) <= 7 for piece in pieces)


def test_an_asymmetric_grid_has_one_level_more_and_outlasts_training(
    run_step: Callable[..., Outcome], tiny: Project
) -> None:
    step = QuantizeWeights(bits=2, granularity="tensor", symmetric=False)
    rounded = run_step(step, tiny, run_step(Train(epochs=1), tiny).path)
    again = run_step(Train(epochs=1), tiny, rounded.path)
    for done in (rounded, again):
        counts = [len(each.unique()) for each in weights_of(saved_module(tiny, artifact(done.path))).values()]
        assert max(counts) == 4


def test_what_was_rounded_can_be_exported(run_step: Callable[..., Outcome], tiny: Project) -> None:
    rounded = run_step(QuantizeWeights(), tiny, run_step(Train(epochs=1), tiny).path)
    assert run_step(Export(), tiny, rounded.path).path.is_file()


def test_levels_outlast_later_training(run_step: Callable[..., Outcome], tiny: Project) -> None:
    rounded = run_step(QuantizeWeights(bits=2, granularity="tensor"), tiny, run_step(Train(epochs=1), tiny).path)
    trained = run_step(Train(epochs=2), tiny, rounded.path)
    for weight in weights_of(saved_module(tiny, artifact(trained.path))).values():
        assert len(weight.unique()) <= 3
