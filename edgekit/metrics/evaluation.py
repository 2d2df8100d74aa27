"""A model file over a project's evaluation split: its outputs, and the metric."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.arrays import Array, Arrays, Outputs
from edgekit.data.batching import Axes, batch_axes, joined
from edgekit.data.split import Split
from edgekit.data.trees import joined_trees
from edgekit.errors import DataError
from edgekit.metrics.metric import chance_value, compares, item_scores, metric_value
from edgekit.metrics.named import NAMED
from edgekit.model.feeding import Feeding, feeding_of
from edgekit.model.ports import inputs_of
from edgekit.model.reading import load_model
from edgekit.project.project import Project
from edgekit.runtimes.ort import session, session_outputs


@dataclass(frozen=True)
class Evaluation:
    """A model judged on a project's evaluation split."""

    value: float
    """The project's metric."""
    scores: Array | None
    """Each sample's share in it, shape (samples,); None where the metric is no mean of them."""
    chance: float | None
    """What a model that knows nothing may reach here; None where that cannot be told."""
    similarity: Mapping[str, float] = field(default_factory=dict)
    """To the float model that a build started from, by the names of metrics that compare."""


def judged(project: Project, outputs: Sequence[Array], targets: Any) -> Evaluation:
    """A model judged by its outputs over the whole split."""
    value = metric_value(project, outputs, targets)
    chance = chance_value(project, outputs, targets, value)
    return Evaluation(value, item_scores(project, outputs, targets), chance)


def file_evaluation(
    path: Path, project: Project, split: Split, *, exact: bool, reference: Sequence[Array] | None = None
) -> Evaluation:
    """An ONNX file judged, run by ONNX Runtime on this machine; `exact` where 8-bit products must not saturate.
    `reference` is what the float model gives, samples first."""
    running, outputs, targets = _run(path, split, exact=exact)
    if reference is None:
        return judged(project, outputs, targets)
    alike = running.by_sample(outputs)
    found = judged(project, alike, reference) if compares(project) else judged(project, outputs, targets)
    return replace(found, similarity=similarity(alike, reference))


def outputs_by_sample(path: Path, split: Split) -> Outputs[Array]:
    """What a float file gives for the whole split on this machine, samples first."""
    running, outputs, _ = _run(path, split, exact=False)
    return running.by_sample(outputs)


def similarity(outputs: Sequence[Array], reference: Sequence[Array]) -> dict[str, float]:
    """How alike two models' outputs are, samples first, by each metric that can compare them."""
    found = {}
    for name, metric in NAMED.items():
        if metric.compares:
            with suppress(DataError):
                found[name] = metric.value(outputs, reference)
    return found


def _run(path: Path, split: Split, *, exact: bool) -> "tuple[Running, Outputs[Array], Any]":
    running = Running.of(path, exact=exact, sample=split.example().inputs)
    parts, targets = [], []
    for batch in split.batches():
        parts += running.parts(batch.inputs)
        targets.append(batch.target)
    return running, running.joined(parts), joined_trees(targets)


Part = tuple[Sequence[Array], int]
"""The outputs of a run, and for how many samples."""


@dataclass(frozen=True)
class Running:
    """A model file that is given samples on this machine."""

    session: Any
    feeding: Feeding
    axes: Axes
    """Of each output that of the samples."""
    names: tuple[str, ...]

    @staticmethod
    def of(path: Path, *, exact: bool, sample: Arrays) -> "Running":
        """`sample`, (1, ...), shows along which axes the outputs hold the samples."""
        opened = session(path, exact=exact)
        feeding = feeding_of(inputs_of(load_model(path).graph))
        axes = batch_axes(lambda inputs: session_outputs(opened, feeding.feed(inputs)), sample, feeding.size)
        return Running(opened, feeding, axes, tuple(each.name for each in opened.get_outputs()))

    def parts(self, inputs: Arrays) -> list[Part]:
        """The outputs for samples, run by run."""
        return [(session_outputs(self.session, feed), count) for feed, count in self.feeding.feeds(inputs)]

    def joined(self, parts: Sequence[Part]) -> Outputs[Array]:
        """The outputs of runs as those of one batch, without what only filled a run up."""
        return joined([self._cut(*part) for part in parts], self.axes)

    def by_sample(self, outputs: Outputs[Array]) -> Outputs[Array]:
        """Outputs with the samples first; those that do not follow the samples are left out, unless all are so."""
        moved = [
            (name, np.moveaxis(each, axis, 0))
            for name, each, axis in zip(self.names, outputs, self.axes, strict=True)
            if axis is not None
        ] or [(name, each[None]) for name, each in zip(self.names, outputs, strict=True)]
        return Outputs([each for _, each in moved], [name for name, _ in moved])

    def _cut(self, outputs: Sequence[Array], count: int) -> Outputs[Array]:
        size = self.feeding.size
        cut = (
            (
                each if axis is None or count == size else each.take(range(count * each.shape[axis] // size), axis)
                for each, axis in zip(outputs, self.axes, strict=True)
            )
            if size
            else outputs
        )
        return Outputs(cut, self.names)
