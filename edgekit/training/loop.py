"""The training loop: seeded and checkpointed per epoch, so that an interrupted run ends with the same weights."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edgekit.data.split import Split
from edgekit.errors import DataError, ModelError
from edgekit.files import read_sealed, write_sealed
from edgekit.progress import Progress
from edgekit.training.batches import TensorBatch, tensor_batches
from edgekit.training.batchnorms import has_batch_norms
from edgekit.training.modules import device_of_training, outputs_of, repeatable, seed_everything
from edgekit.training.tally import Loss, Tally
from edgekit.training.weight_constraints import Constraint, WeightConstraints

_WARM_UP = 0.15


@dataclass(frozen=True)
class Schedule:
    epochs: int
    learning_rate: float
    """The peak, reached after 15 % of the steps, followed by a cosine decay to zero."""
    weight_decay: float


def fit(
    module: nn.Module,
    split: Split,
    loss: Loss,
    schedule: Schedule,
    checkpoint: Path,
    progress: Progress,
    what: str,
    constraint: Constraint | None = None,
) -> dict[str, Any]:
    """Train `module` in place with AdamW (Loshchilov and Hutter, arXiv 1711.05101), and leave it on the CPU.

    After each epoch the state is written to `checkpoint`; if that file exists, training resumes from it. Returns the
    epochs, the last loss, the device and, for labels, the training accuracy. `constraint` applies to the weights during
    training. Raises DataError if the loss is not finite, ModelError if no parameter can be trained.
    """
    if not any(each.requires_grad for each in module.parameters()):
        raise ModelError(
            f"{what}: the module has no parameters that require gradients, so nothing can be trained",
            "return a module whose parameters require gradients, or load its weights instead of training it",
        )
    device = device_of_training()
    module.to(device).train()
    optimizer = torch.optim.AdamW(module.parameters(), schedule.learning_rate, weight_decay=schedule.weight_decay)
    constraint = constraint or Constraint(module, WeightConstraints())
    start, result = _resume(module, optimizer, constraint, checkpoint, device)
    length = split.batches_an_epoch()
    with repeatable(device):
        for epoch in range(start, schedule.epochs):
            seed_everything(split.seed, epoch + 1)
            module.train()
            constraint.epoch_started(module, epoch, schedule.epochs)
            tally = Tally()
            batches = tensor_batches(split, epoch)
            for position, batch in enumerate(_but_a_last_one(batches) if has_batch_norms(module) else batches):
                done = (epoch + (position / length if length else 0.0)) / schedule.epochs
                for group in optimizer.param_groups:
                    group["lr"] = schedule.learning_rate * _one_cycle(done)
                tally.add(*_step(module, batch.on(device), loss, optimizer, epoch, constraint), batch)
            result = tally.summary()
            _save(module, optimizer, constraint, checkpoint, epoch + 1, result)
            progress.advanced(
                what, epoch + 1, schedule.epochs, ", ".join(f"{key} {value:.4g}" for key, value in result.items())
            )
    constraint.settle(module)
    module.cpu().eval()
    return {"epochs": schedule.epochs, "device": device.type, **result}


def _but_a_last_one(batches: Iterator[TensorBatch]) -> Iterator[TensorBatch]:
    """Batches except for a last one with a single sample, for which batch norms have no statistics."""
    largest = 0
    for batch in batches:
        if len(batch) > 1 or largest <= 1:
            yield batch
        largest = max(largest, len(batch))


def _step(
    module: nn.Module,
    batch: TensorBatch,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    epoch: int,
    constraint: Constraint,
) -> tuple[float, Tensor]:
    with constraint.apply(module):
        outputs = outputs_of(module, batch)
        value = loss(outputs, batch)
        if not torch.isfinite(value):
            raise DataError(
                f"the loss became {value.item()} in epoch {epoch + 1}", "lower learning_rate, or check the data"
            )
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return value.item(), outputs[0].detach()


def _one_cycle(done: float) -> float:
    """The share of the peak learning rate at `done` of the training, both from 0 to 1."""
    if done < _WARM_UP:
        return max(done / _WARM_UP, 0.04)
    return 0.5 * (1 + math.cos(math.pi * (done - _WARM_UP) / (1 - _WARM_UP)))


def _save(
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    constraint: Constraint,
    path: Path,
    epochs: int,
    values: dict[str, float],
) -> None:
    state = {
        "epochs": epochs,
        "module": module.state_dict(),
        "optimizer": optimizer.state_dict(),
        "constraint": constraint.state(),
        "metrics": values,
    }
    buffer = BytesIO()
    torch.save(state, buffer)
    write_sealed(path, buffer.getvalue())


def _resume(
    module: nn.Module, optimizer: torch.optim.Optimizer, constraint: Constraint, path: Path, device: torch.device
) -> tuple[int, dict[str, float]]:
    content = read_sealed(path)
    if content is None:
        return 0, {}
    state = torch.load(BytesIO(content), map_location=device, weights_only=True)
    module.load_state_dict(state["module"])
    optimizer.load_state_dict(state["optimizer"])
    constraint.resume(state["constraint"])
    return int(state["epochs"]), dict(state["metrics"])
