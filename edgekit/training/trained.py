"""Train a module within a step and finish it: check its batch-norm statistics, and save its weights."""

import math
from dataclasses import dataclass
from typing import Any

from torch import nn

from edgekit.contract.step import Context, Outcome
from edgekit.data.split import Split
from edgekit.progress import Progress
from edgekit.training.batchnorms import SAMPLES, Statistics, has_batch_norms, lag, re_estimate_if_better, reestimate
from edgekit.training.loop import Schedule, fit
from edgekit.training.losses import task_loss
from edgekit.training.modules import parameter_count, save_module
from edgekit.training.tally import Loss, tally_at_rest
from edgekit.training.threads import training_threads
from edgekit.training.weight_constraints import Constraint, WeightConstraints
from edgekit.traits import Data


@dataclass(frozen=True)
class Training:
    schedule: Schedule
    """Zero epochs for no training."""
    batch_norm: Statistics


def train_module(
    module: nn.Module,
    held: WeightConstraints,
    training: Training,
    context: Context,
    what: str,
    *,
    loss: Loss | None = None,
    constraint: Constraint | None = None,
) -> Outcome:
    """Train `module` on `loss` (by default the task's) under `constraint` (by default what `held` says), and save it.

    Unless they are to be kept, batch-norm statistics are re-estimated: after training if they lag, and always without
    training. The notes contain the loss and accuracy of the last epoch, and `at_rest` those of training samples in
    evaluation mode.
    """
    split = context.splits[Data.TRAIN]
    loss = loss or task_loss(context.project)
    constraint = constraint or Constraint(module, held)
    values: dict[str, Any] = {"epochs": 0}
    with training_threads(module.eval(), split, context.project.training_threads):
        if training.schedule.epochs:
            checkpoint = context.checkpoints / "epoch.pt"
            values = fit(module, split, loss, training.schedule, checkpoint, context.progress, what, constraint)
        else:
            constraint.settle(module)
            if training.batch_norm == "re-estimated":
                reestimate(module, split)
        at_rest = tally_at_rest(module, split, loss, SAMPLES)
        if has_batch_norms(module):
            values["batch_norm"] = training.batch_norm
            if training.schedule.epochs and training.batch_norm == "re-estimated":
                values["batch_norm"], at_rest = _check_batch_norms(
                    module, split, loss, values["loss"], at_rest, context.progress
                )
    path = context.folder / "model.safetensors"
    save_module(module, context.project, context.role, path, held)
    values["at_rest"] = {name: value for name, value in at_rest.items() if math.isfinite(value)}
    return Outcome(path, {**values, "parameters": parameter_count(module)})


def _check_batch_norms(
    module: nn.Module, split: Split, loss: Loss, trained_loss: float, at_rest: dict[str, float], progress: Progress
) -> tuple[str, dict[str, float]]:
    """Handle batch-norm statistics after training, in place. Returns a word for what was done, and the module's loss
    and accuracy in evaluation mode."""
    anew = re_estimate_if_better(module, split, loss, at_rest) if lag(at_rest["loss"], trained_loss) else at_rest
    if anew is at_rest:
        return "up to date", at_rest
    progress.note(
        "the batch norms' running statistics lag behind training: re-estimating them lowers the loss on training "
        "samples "
        f"from {at_rest['loss']:.3g} to {anew['loss']:.3g}"
    )
    return "re-estimated", anew
