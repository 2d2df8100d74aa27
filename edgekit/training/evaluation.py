"""A module or a file over a project's evaluation split: its outputs, and the metric."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from edgekit.arrays import Array, Arrays, Outputs
from edgekit.data.batching import batch_axes, joined
from edgekit.data.split import Split
from edgekit.data.trees import joined_trees
from edgekit.model.ports import fixed_batch
from edgekit.project.project import Project
from edgekit.runtimes.ort import session, session_outputs
from edgekit.training.batches import unlabelled
from edgekit.training.modules import device_of_training, outputs_of
from edgekit.verdict.metric import chance_value, item_scores, metric_value


@dataclass(frozen=True)
class Evaluation:
    """A model judged on a project's evaluation split."""

    value: float
    """The project's metric."""
    scores: Array | None
    """Each sample's share in it, shape (samples,); None where the metric is no mean of them."""
    chance: float | None
    """What a model that knows nothing may reach here; None where that cannot be told."""


def module_evaluation(module: nn.Module, project: Project, split: Split) -> Evaluation:
    """A module judged. Leaves it on the CPU."""
    return _judged(project, *_module_outputs(module, split))


def file_evaluation(path: Path, project: Project, split: Split, *, exact: bool) -> Evaluation:
    """An ONNX file judged, run by ONNX Runtime on this machine; `exact` where 8-bit products must not saturate."""
    return _judged(project, *_file_outputs(path, split, exact))


def _judged(project: Project, outputs: Outputs[Array], targets: Any) -> Evaluation:
    value = metric_value(project, outputs, targets)
    chance = chance_value(project, outputs, targets, value)
    return Evaluation(value, item_scores(project, outputs, targets), chance)


def module_metric(module: nn.Module, project: Project, split: Split) -> float:
    """The project's metric of a module. Leaves the module on the CPU."""
    return module_evaluation(module, project, split).value


def _module_outputs(module: nn.Module, split: Split) -> tuple[Outputs[Array], Any]:
    """The outputs of a module and the targets, over the whole split. Leaves the module on the CPU."""
    device = device_of_training()
    module.to(device).eval()

    def run(inputs: Arrays) -> Outputs[Array]:
        given = outputs_of(module, unlabelled(inputs).on(device))
        return Outputs((each.cpu().numpy() for each in given), given.names)

    outputs, targets = [], []
    with torch.no_grad():
        axes = batch_axes(run, split.example().inputs)
        for batch in split.batches():
            outputs.append(run(batch.inputs))
            targets.append(batch.target)
    module.cpu()
    return joined(outputs, axes), joined_trees(targets)


def _file_outputs(path: Path, split: Split, exact: bool) -> tuple[Outputs[Array], Any]:
    """The outputs of an ONNX file on this machine and the targets, over the whole split."""
    running = session(path, exact=exact)
    fixed = fixed_batch(running.get_inputs()[0].shape)
    axes = batch_axes(lambda inputs: session_outputs(running, inputs), split.example().inputs, fixed)
    outputs, targets = [], []
    for batch in split.batches():
        size = fixed or len(batch)
        for start in range(0, len(batch), size):
            outputs.append(session_outputs(running, tuple(each[start : start + size] for each in batch.inputs)))
        targets.append(batch.target)
    return joined(outputs, axes), joined_trees(targets)
