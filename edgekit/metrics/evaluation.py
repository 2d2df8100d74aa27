"""A model file over a project's evaluation split: its outputs, and the metric."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.arrays import Array, Arrays, Outputs
from edgekit.data.batching import Axes, batch_axes, join_outputs
from edgekit.data.split import Split
from edgekit.data.trees import Tree, join_trees
from edgekit.formats import ports_of
from edgekit.metrics.metric import chance_value, comparing_score, item_scores, metric_value
from edgekit.metrics.named import Sampled
from edgekit.metrics.similarity import chance_similarity, similarities
from edgekit.model.feeding import Feeding, feeding_of
from edgekit.project.project import Project
from edgekit.runtimes.opening import open_session
from edgekit.runtimes.ort import session_outputs


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


def evaluate_outputs(project: Project, outputs: Sequence[Array], targets: Any) -> Evaluation:
    """A model judged by its outputs over the whole split."""
    value = metric_value(project, outputs, targets)
    chance = chance_value(project, outputs, targets, value)
    return Evaluation(value, item_scores(project, outputs, targets), chance)


def file_evaluation(
    path: Path,
    project: Project,
    split: Split,
    *,
    exact: bool,
    reference: Sampled | None = None,
    runtime: str = "",
) -> Evaluation:
    """A model file judged on this machine; `exact` where 8-bit products must not saturate, a .tflite file by `runtime`
    where that is installed. `reference` is what the float model gives, sample by sample."""
    running, parts, targets = _run(path, split, exact=exact, runtime=runtime)
    if reference is None:
        return evaluate_outputs(project, running.joined(parts), join_trees(targets))
    given = running.sampled(parts)
    score = comparing_score(project)
    if score is None:
        found = evaluate_outputs(project, running.joined(parts), join_trees(targets))
    else:
        chance = chance_similarity(score, given, reference, project.seed)
        found = Evaluation(score(given, reference), None, chance)
    return replace(found, similarity=similarities(given, reference))


def file_outputs(path: Path, split: Split, *, exact: bool) -> Sampled:
    """What a file gives for the whole split on this machine, sample by sample; with `exact`, without saturation."""
    running, parts, _ = _run(path, split, exact=exact)
    return running.sampled(parts)


def _run(path: Path, split: Split, *, exact: bool, runtime: str = "") -> "tuple[ModelRuns, list[Part], list[Tree]]":
    running = ModelRuns.of(path, exact=exact, sample=split.example().inputs, runtime=runtime)
    parts, targets = [], []
    for batch in split.batches():
        parts += running.parts(batch.inputs)
        targets.append(batch.target)
    return running, parts, targets


Part = tuple[Sequence[Array], int]
"""The outputs of a run, and for how many samples."""


@dataclass(frozen=True)
class ModelRuns:
    """A model file that is given samples on this machine."""

    session: Any
    feeding: Feeding
    axes: Axes
    """Of each output that of the samples."""
    names: tuple[str, ...]

    @staticmethod
    def of(path: Path, *, exact: bool, sample: Arrays, runtime: str = "") -> "ModelRuns":
        """`sample`, (1, ...), shows along which axes the outputs hold the samples."""
        opened = open_session(path, exact=exact, runtime=runtime)
        feeding = feeding_of(ports_of(path)[0])
        axes = batch_axes(lambda inputs: session_outputs(opened, feeding.feed(inputs)), sample, feeding.size)
        return ModelRuns(opened, feeding, axes, tuple(each.name for each in opened.get_outputs()))

    def parts(self, inputs: Arrays) -> list[Part]:
        """The outputs for samples, run by run."""
        return [(session_outputs(self.session, feed), count) for feed, count in self.feeding.feeds(inputs)]

    def joined(self, parts: Sequence[Part]) -> Outputs[Array]:
        """The outputs of runs as those of one batch, without what only filled a run up."""
        return join_outputs([self._cut(*part) for part in parts], self.axes)

    def sampled(self, parts: Sequence[Part]) -> Sampled:
        """The outputs of runs sample by sample. Where a run holds several, outputs that do not follow them are left
        out, unless all are so: then a run counts as one."""
        return [sample for part in parts for sample in self._samples(self._cut(*part), part[1])]

    def _samples(self, outputs: Sequence[Array], count: int) -> Sampled:
        pairs = [*zip(outputs, self.axes, strict=True)]
        if self.feeding.size == 1:
            return [tuple(each if axis is None else each.take(0, axis) for each, axis in pairs)]
        following = [_split_batches(np.moveaxis(each, axis, 0), count) for each, axis in pairs if axis is not None]
        return [*zip(*following, strict=True)] if following else [tuple(outputs)]

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


def _split_batches(output: Array, count: int) -> Array:
    """So many samples' parts of an output that may have several for each, one behind the other."""
    return output if len(output) == count else output.reshape(count, -1, *output.shape[1:])
