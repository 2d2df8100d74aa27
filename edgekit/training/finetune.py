"""What a step does after it changed a module's weights: train on, or take the batch norms' statistics anew; save."""

from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from edgekit.steps.step import Context, Outcome
from edgekit.training.batchnorms import reestimate
from edgekit.training.held import Constraint, Held
from edgekit.training.loop import Schedule, fit
from edgekit.training.losses import task_loss
from edgekit.training.modules import parameter_count, save_module
from edgekit.traits import Data


@dataclass(frozen=True)
class FineTuning:
    schedule: Schedule
    """Zero epochs: no training."""
    batch_norm: Literal["re-estimated", "kept"]
    """Where there is no training."""


def fine_tuned(
    module: nn.Module,
    held: Held,
    tuning: FineTuning,
    context: Context,
    what: str,
    constraint: Constraint | None = None,
) -> Outcome:
    """Train `module` under `constraint` (by default what `held` says), or re-estimate its batch norms, and save it."""
    project = context.project
    split = context.splits[Data.TRAIN]
    constraint = constraint or Constraint(module, held)
    told: dict[str, Any] = {"epochs": 0, "batch_norm": tuning.batch_norm}
    if tuning.schedule.epochs:
        checkpoint = context.checkpoints / "epoch.pt"
        told = fit(module, split, task_loss(project), tuning.schedule, checkpoint, context.progress, what, constraint)
    else:
        constraint.settle(module)
        if tuning.batch_norm == "re-estimated":
            reestimate(module, split)
    path = context.folder / "model.safetensors"
    save_module(module, project, context.role, path, held)
    return Outcome(path, {**told, "parameters": parameter_count(module)})
