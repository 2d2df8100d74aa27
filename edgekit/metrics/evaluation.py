"""A model file over a project's evaluation split: its outputs, and the metric."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.arrays import Array, Arrays, Outputs
from edgekit.data.batching import Axes, batch_axes, joined
from edgekit.data.split import Split
from edgekit.data.trees import joined_trees
from edgekit.metrics.metric import chance_value, item_scores, metric_value
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


def judged(project: Project, outputs: Outputs[Array], targets: Any) -> Evaluation:
    """A model judged by its outputs over the whole split."""
    value = metric_value(project, outputs, targets)
    chance = chance_value(project, outputs, targets, value)
    return Evaluation(value, item_scores(project, outputs, targets), chance)


def file_evaluation(path: Path, project: Project, split: Split, *, exact: bool) -> Evaluation:
    """An ONNX file judged, run by ONNX Runtime on this machine; `exact` where 8-bit products must not saturate."""
    running = Running.of(path, exact=exact, sample=split.example().inputs)
    parts, targets = [], []
    for batch in split.batches():
        parts += running.parts(batch.inputs)
        targets.append(batch.target)
    return judged(project, running.joined(parts), joined_trees(targets))


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
