import pytest
import torch
from torch import nn

from edgekit.data.splits import Splits
from edgekit.project.project import Project
from edgekit.training import threads
from edgekit.training.batches import tensor_batches
from edgekit.training.modules import module_macs, untrained_module
from edgekit.training.threads import training_threads
from edgekit.traits import Data, Role


@pytest.mark.parametrize(
    ("more", "given", "expected"),
    [(0, None, 1), (-1, None, 3), (0, 2, 2), (-1, 2, 2)],
    ids=["small", "large", "2", "2"],
)
def test_small_networks_train_with_one_thread(
    tiny: Project, more: int, given: int | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, split = untrained_module(tiny, Role.STUDENT), Splits(tiny)[Data.TRAIN]
    batch = next(tensor_batches(split))
    monkeypatch.setattr(threads, "SMALL_STEP", module_macs(module, batch) * len(batch) + more)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with training_threads(module, split, given):
            assert torch.get_num_threads() == expected
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_the_number_is_restored_after_an_error(tiny: Project) -> None:
    before, split = torch.get_num_threads(), Splits(tiny)[Data.TRAIN]
    with pytest.raises(ValueError, match="inside"), training_threads(nn.Linear(1, 1), split, before + 1):
        raise ValueError("inside")
    assert torch.get_num_threads() == before
