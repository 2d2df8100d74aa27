from collections.abc import Callable

import pytest
import torch

from edgekit.contract.step import Outcome
from edgekit.project.project import Project
from edgekit.steps.prune import Prune
from edgekit.steps.qat import Qat
from edgekit.steps.sparsify import Sparsify
from edgekit.steps.train import Train
from edgekit.training.modules import saved_module
from edgekit.training.weight_constraints import weights_of
from tests.steps.conftest import artifact


def zeros(project: Project, done: Outcome) -> float:
    weights = weights_of(saved_module(project, artifact(done.path))).values()
    return sum(int((each == 0).sum()) for each in weights) / sum(each.numel() for each in weights)


@pytest.mark.parametrize("gradual", [False, True])
def test_zeros_outlast_fine_tuning_and_later_training(
    run_step: Callable[..., Outcome], tiny: Project, gradual: bool
) -> None:
    trained = run_step(Train(epochs=1), tiny)
    sparse = run_step(Sparsify(sparsity=0.6, epochs=3, gradual=gradual), tiny, trained.path)
    assert zeros(tiny, sparse) == pytest.approx(0.6, abs=0.01)
    assert zeros(tiny, sparse) == pytest.approx(sparse.notes["zeros"])
    assert zeros(tiny, run_step(Train(epochs=1), tiny, sparse.path)) >= zeros(tiny, sparse)
    assert zeros(tiny, run_step(Qat(epochs=1), tiny, sparse.path)) >= zeros(tiny, sparse)


def test_pruned_channels_leave_a_sparse_module(run_step: Callable[..., Outcome], tiny: Project) -> None:
    sparse = run_step(Sparsify(sparsity=0.5, epochs=0), tiny, run_step(Train(epochs=1), tiny).path)
    smaller = run_step(Prune(ratio=0.5, epochs=1), tiny, sparse.path)
    assert zeros(tiny, smaller) > 0.2


def test_the_smallest_weights_go(run_step: Callable[..., Outcome], tiny: Project) -> None:
    trained = run_step(Train(epochs=1), tiny)
    sparse = run_step(Sparsify(sparsity=0.5, epochs=0, batch_norm="kept"), tiny, trained.path)
    before = weights_of(saved_module(tiny, artifact(trained.path)))
    for name, after in weights_of(saved_module(tiny, artifact(sparse.path))).items():
        taken = after == 0
        assert before[name][taken].abs().max() <= before[name][~taken].abs().min()
        assert torch.equal(after[~taken], before[name][~taken])
