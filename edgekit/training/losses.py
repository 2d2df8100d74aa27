"""Losses: the task's own, and Hinton's for distillation."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgekit.arrays import Outputs
from edgekit.errors import DataError
from edgekit.project.entrypoints import entry_function
from edgekit.project.project import Project
from edgekit.training.batches import TensorBatch
from edgekit.training.modules import outputs_of
from edgekit.training.tally import Loss


def task_loss(project: Project) -> Loss:
    """The project's own `loss(outputs, targets)`, else cross entropy over the first output."""
    if project.loss is None:
        return lambda outputs, batch: cross_entropy(outputs[0], batch.target)
    own = entry_function(project.root, project.loss)

    def loss(outputs: Outputs[Tensor], batch: TensorBatch) -> Tensor:
        given = outputs[0] if len(outputs) == 1 else outputs.with_names(project.model.outputs)
        value: Tensor = own(given, batch.target)
        return value

    return loss


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy of logits (batch, classes) and labels (batch,). Raises DataError for labels out of range."""
    if not isinstance(labels, Tensor) or labels.is_floating_point() or labels.ndim != 1 or logits.ndim != 2:
        raise DataError(
            "classification takes logits (batch, classes) and integer labels (batch,); given are "
            f"{tuple(logits.shape)} "
            f"and {getattr(labels, 'dtype', type(labels).__name__)} {tuple(getattr(labels, 'shape', ()))}",
            'for another task set a loss and a metric: loss = "module:function", metric = "module:function"',
        )
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= logits.shape[1]:
        raise DataError(
            f"a label is {low if low < 0 else high}, but the model has {logits.shape[1]} classes",
            f"labels must lie in 0 to {logits.shape[1] - 1}",
        )
    return F.cross_entropy(logits, labels.long())


def distillation_loss(task: Loss, teacher: nn.Module, temperature: float, alpha: float) -> Loss:
    """`alpha` times the soft loss plus 1 - `alpha` times the task's loss.

    For two-dimensional outputs (logits) the soft loss is T^2 KL(teacher || student) at temperature T (Hinton, Vinyals,
    Dean, arXiv 1503.02531, section 2); for other outputs it is the mean squared difference, averaged over outputs.
    Further outputs of the student in training mode, such as auxiliary heads, have no teacher and enter the task's loss
    only.
    """

    def loss(outputs: Outputs[Tensor], batch: TensorBatch) -> Tensor:
        with torch.no_grad():
            taught = outputs_of(teacher, batch, "the teacher")
        if len(taught) > len(outputs):
            raise DataError(
                f"the teacher has {len(taught)} outputs, but the student has {len(outputs)}",
                "give both the same outputs",
            )
        soft = [_soft(mine, theirs, temperature) for mine, theirs in zip(outputs, taught, strict=False)]
        return alpha * torch.stack(soft).mean() + (1 - alpha) * task(outputs, batch)

    return loss


def _soft(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    if student.shape != teacher.shape:
        raise DataError(
            f"the student's output has the shape {tuple(student.shape)}, but the teacher's {tuple(teacher.shape)}",
            "give both the same outputs",
        )
    if student.ndim != 2:
        return F.mse_loss(student, teacher)
    log_student = F.log_softmax(student / temperature, 1)
    log_teacher = F.log_softmax(teacher / temperature, 1)
    return F.kl_div(log_student, log_teacher, log_target=True, reduction="batchmean") * temperature**2
