"""Evaluate a module on a project's evaluation split: its outputs and the metric."""

from typing import Any

import torch
from torch import nn

from edgekit.arrays import Array, Arrays, Outputs
from edgekit.data.batching import batch_axes, join_outputs
from edgekit.data.split import Split
from edgekit.data.trees import join_trees
from edgekit.metrics.evaluation import Evaluation, evaluate_outputs
from edgekit.project.project import Project
from edgekit.training.batches import unlabelled_batch
from edgekit.training.modules import device_of_training, outputs_of


def module_evaluation(module: nn.Module, project: Project, split: Split) -> Evaluation:
    """Evaluate a module. Leaves it on the CPU."""
    return evaluate_outputs(project, *_module_outputs(module, split))


def module_metric(module: nn.Module, project: Project, split: Split) -> float:
    """The project's metric of a module. Leaves the module on the CPU."""
    return module_evaluation(module, project, split).value


def _module_outputs(module: nn.Module, split: Split) -> tuple[Outputs[Array], Any]:
    """A module's outputs, one array per output with axes (samples, ...), and the targets of the whole split. Leaves the
    module on the CPU."""
    device = device_of_training()
    module.to(device).eval()

    def run(inputs: Arrays) -> Outputs[Array]:
        given = outputs_of(module, unlabelled_batch(inputs).on(device))
        return Outputs((each.cpu().numpy() for each in given), given.names)

    outputs, targets = [], []
    with torch.no_grad():
        axes = batch_axes(run, split.example().inputs)
        for batch in split.batches():
            outputs.append(run(batch.inputs))
            targets.append(batch.target)
    module.cpu()
    return join_outputs(outputs, axes), join_trees(targets)
