import math

import pytest
import torch
from torch import nn

from edgekit.arrays import Outputs
from edgekit.errors import DataError
from edgekit.training.batches import TensorBatch
from edgekit.training.losses import cross_entropy, distillation_loss

LABELS = torch.tensor([0, 2])
LOGITS = torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


class Fixed(nn.Module):
    def __init__(self, output: torch.Tensor) -> None:
        super().__init__()
        self.output = output

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.output


def loss(student: torch.Tensor, teacher: torch.Tensor, temperature: float, alpha: float) -> float:
    function = distillation_loss(
        lambda outputs, batch: cross_entropy(outputs[0], batch.target), Fixed(teacher), temperature, alpha
    )
    return float(function(Outputs([student], ["output"]), TensorBatch((torch.zeros(len(student), 1),), LABELS)))


def test_hintons_loss_is_the_divergence_of_softened_outputs_times_the_square_of_the_temperature() -> None:
    temperature = 3.0
    other = torch.tensor([[0.0, 1.0, 0.0], [1.0, 1.0, 0.0]])
    p, q = (torch.softmax(each / temperature, 1) for each in (other, LOGITS))
    by_hand = float((p * (p / q).log()).sum(1).mean()) * temperature**2
    assert loss(LOGITS, other, temperature, 1.0) == pytest.approx(by_hand, rel=1e-5)


def test_alpha_weighs_the_teacher_against_the_targets() -> None:
    assert loss(LOGITS, LOGITS, 4.0, 1.0) == pytest.approx(0.0, abs=1e-6)
    hard = -(math.log(math.e**2 / (math.e**2 + 2)) + math.log(1 / (math.e + 2))) / 2
    assert loss(LOGITS, LOGITS, 4.0, 0.0) == pytest.approx(hard, rel=1e-5)
    assert loss(LOGITS, LOGITS, 4.0, 0.25) == pytest.approx(0.75 * hard, rel=1e-5)


def test_other_outputs_than_logits_are_compared_by_their_squares() -> None:
    images = torch.ones(2, 1, 4, 4)
    function = distillation_loss(lambda o, _: o[0].sum() * 0, Fixed(images * 3), 4.0, 1.0)
    assert float(function(Outputs([images], ["output"]), TensorBatch((images,), LABELS))) == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (torch.tensor([0, 3]), "a label is 3, but the model has 3 classes"),
        (torch.tensor([-1, 0]), "a label is -1"),
        (torch.tensor([0.0, 1.0]), "integer labels"),
        (torch.tensor([[0], [1]]), "integer labels"),
    ],
)
def test_labels_that_cannot_be_are_reported(labels: torch.Tensor, told: str) -> None:
    with pytest.raises(DataError, match=told):
        cross_entropy(LOGITS, labels)


def test_a_student_with_other_outputs_than_the_teacher_is_reported() -> None:
    with pytest.raises(DataError, match=r"the teacher's \(2, 4\)"):
        loss(LOGITS, torch.zeros(2, 4), 1.0, 0.5)


@pytest.mark.parametrize("kind", [torch.int32, torch.uint8, torch.int64])
def test_labels_may_be_integers_of_any_size(kind: torch.dtype) -> None:
    assert cross_entropy(LOGITS, LABELS.to(kind)) == cross_entropy(LOGITS, LABELS)


def test_what_a_student_gives_besides_in_training_is_not_taught() -> None:
    function = distillation_loss(lambda outputs, _: outputs["extra"].sum(), Fixed(LOGITS), 4.0, 0.5)
    outputs = Outputs([LOGITS, torch.ones(2)], ["main", "extra"])
    assert float(function(outputs, TensorBatch((LOGITS,), LABELS))) == pytest.approx(1.0)


def test_a_teacher_of_more_outputs_is_reported() -> None:
    class Two(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return x, x

    function = distillation_loss(lambda outputs, _: outputs[0].sum(), Two(), 4.0, 0.5)
    with pytest.raises(DataError, match="the teacher has 2 outputs, but the student has 1"):
        function(Outputs([LOGITS], ["output"]), TensorBatch((LOGITS,), LABELS))
