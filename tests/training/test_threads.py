import pytest
import torch
from torch import nn

from edgekit.training.batches import TensorBatch
from edgekit.training.threads import SMALL_STEP, training_threads


@pytest.mark.parametrize(
    ("batch", "given", "expected"),
    [(1, None, 1), (SMALL_STEP // 10_000, None, 1), (SMALL_STEP // 10_000 + 1, None, 3), (1, 2, 2), (10**4, 2, 2)],
)
def test_small_networks_train_with_one_thread(batch: int, given: int | None, expected: int) -> None:
    module, before = nn.Linear(100, 100), torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with training_threads(module.eval(), TensorBatch((torch.zeros(batch, 100),), None), given):
            assert torch.get_num_threads() == expected
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_the_number_is_restored_after_an_error() -> None:
    before = torch.get_num_threads()
    with (
        pytest.raises(ValueError, match="inside"),
        training_threads(nn.Linear(1, 1), TensorBatch((torch.zeros(1, 1),), None), 2),
    ):
        raise ValueError("inside")
    assert torch.get_num_threads() == before
