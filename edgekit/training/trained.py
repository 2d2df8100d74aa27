"""A module trained within a step, and left ready for use: its batch norms' statistics checked, its weights saved."""

import math
from dataclasses import dataclass
from typing import Any

from torch import nn

from edgekit.steps.step import Context, Outcome
from edgekit.training.batchnorms import SAMPLES, Statistics, has_batch_norms, lag, mended, reestimate
from edgekit.training.held import Constraint, Held
from edgekit.training.loop import Schedule, fit
from edgekit.training.losses import task_loss
from edgekit.training.modules import parameter_count, save_module
from edgekit.training.tally import Loss, tally_at_rest
from edgekit.traits import Data


@dataclass(frozen=True)
class Training:
    schedule: Schedule
    """Zero epochs: no training."""
    batch_norm: Statistics


def trained(
    module: nn.Module,
    held: Held,
    training: Training,
    context: Context,
    what: str,
    *,
    loss: Loss | None = None,
    constraint: Constraint | None = None,
) -> Outcome:
    """Train `module` on `loss` (by default the task's) under `constraint` (by default what `held` says), and save it.

    Unless they are to be kept, the statistics of its batch norms are taken anew: after training where they lag, without
    training always. The notes tell loss and accuracy of the last epoch, and `at_rest`, on training samples in
    evaluation mode.
    """
    project = context.project
    split = context.splits[Data.TRAIN]
    loss = loss or task_loss(project)
    constraint = constraint or Constraint(module, held)
    told: dict[str, Any] = {"epochs": 0}
    if training.schedule.epochs:
        checkpoint = context.checkpoints / "epoch.pt"
        told = fit(module, split, loss, training.schedule, checkpoint, context.progress, what, constraint)
    else:
        constraint.settle(module)
        if training.batch_norm == "re-estimated":
            reestimate(module, split)
    at_rest = tally_at_rest(module, split, loss, SAMPLES)
    if has_batch_norms(module):
        told["batch_norm"] = training.batch_norm
        if training.schedule.epochs and training.batch_norm == "re-estimated":
            told["batch_norm"] = "up to date"
            before = at_rest
            if lag(before["loss"], told["loss"]):
                at_rest = mended(module, split, loss, before)
            if at_rest is not before:
                told["batch_norm"] = "re-estimated"
                context.progress.note(
                    f"the batch norms' running statistics lag behind training: taken anew, the loss on training "
                    f"samples falls from {before['loss']:.3g} to {at_rest['loss']:.3g}"
                )
    path = context.folder / "model.safetensors"
    save_module(module, project, context.role, path, held)
    told["at_rest"] = {name: value for name, value in at_rest.items() if math.isfinite(value)}
    return Outcome(path, {**told, "parameters": parameter_count(module)})
