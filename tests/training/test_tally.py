import math

import pytest
import torch
from torch import Tensor, nn

from edgekit.data.split import Split
from edgekit.errors import DataError
from edgekit.project.project import Project
from edgekit.training.batches import TensorBatch
from edgekit.training.tally import Tally, tally_at_rest
from edgekit.traits import Data


def test_batches_weigh_as_many_as_they_have_samples() -> None:
    tally = Tally()
    tally.add(1.0, torch.tensor([[1.0, 0.0]]), TensorBatch((torch.zeros(1, 3),), torch.tensor([0])))
    tally.add(4.0, torch.tensor([[1.0, 0.0]] * 3), TensorBatch((torch.zeros(3, 3),), torch.tensor([1, 1, 0])))
    assert tally.summary() == {"loss": (1 + 3 * 4) / 4, "accuracy": 50.0}


def test_there_is_no_accuracy_without_labels() -> None:
    tally = Tally()
    tally.add(2.0, torch.zeros(2, 2), TensorBatch((torch.zeros(2, 3),), torch.zeros(2, 2)))
    assert tally.summary() == {"loss": 2.0}


def test_a_module_at_rest_is_in_evaluation_mode_and_limited_to_some_samples(tiny: Project) -> None:
    module = nn.Sequential(nn.Flatten(), nn.Dropout(0.9), nn.Linear(64, 4))
    seen = []

    def loss(outputs: tuple[Tensor, ...], batch: TensorBatch) -> Tensor:
        assert not module.training and not outputs[0].requires_grad
        seen.append(len(batch))
        return outputs[0].sum()

    tally_at_rest(module.train(), Split(tiny, Data.TRAIN), loss, 40)
    assert seen == [16, 16, 8]


def test_a_loss_that_cannot_be_computed_is_no_number(tiny: Project) -> None:
    def loss(*_: object) -> Tensor:
        raise DataError("no", "")

    result = tally_at_rest(nn.Sequential(nn.Flatten(), nn.Linear(64, 4)), Split(tiny, Data.TRAIN), loss, 40)
    assert math.isnan(result["loss"]) and result["accuracy"] == pytest.approx(result["accuracy"])
