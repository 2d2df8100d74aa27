"""Evaluate a model file on a project's evaluation split: its outputs and the metric."""

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
    """A model's evaluation on a project's evaluation split."""

    value: float
    """The project's metric."""
    scores: Array | None
    """Each sample's contribution to the metric, shape (samples,); None if the metric is not a mean over samples."""
    chance: float | None
    """The value that chance can reach; None where it is unknown."""
    similarity: Mapping[str, float] = field(default_factory=dict)
    """To the float model that a build started from, by metric."""


def evaluate_outputs(project: Project, outputs: Sequence[Array], targets: Any) -> Evaluation:
    """Evaluate a model's outputs over the whole split, one array per output with axes (samples, ...)."""
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
    """Evaluate a model file on this machine. With `exact`, sums of 8-bit products must not saturate. A .tflite file
    runs under `runtime` if that is installed. `reference` holds the float model's outputs, sample by sample."""
    running, parts, targets = _run(path, split, exact=exact, runtime=runtime)
    if reference is None:
        return evaluate_outputs(project, running.join(parts), join_trees(targets))
    given = running.by_sample(parts)
    score = comparing_score(project)
    if score is None:
        found = evaluate_outputs(project, running.join(parts), join_trees(targets))
    else:
        chance = chance_similarity(score, given, reference, project.seed)
        found = Evaluation(score(given, reference), None, chance)
    return replace(found, similarity=similarities(given, reference))


def file_outputs(path: Path, split: Split, *, exact: bool) -> Sampled:
    """A file's outputs for the whole split on this machine, sample by sample; with `exact`, without saturation."""
    running, parts, _ = _run(path, split, exact=exact)
    return running.by_sample(parts)


def _run(path: Path, split: Split, *, exact: bool, runtime: str = "") -> "tuple[ModelRuns, list[Part], list[Tree]]":
    running = ModelRuns.of(path, exact=exact, sample=split.example().inputs, runtime=runtime)
    parts, targets = [], []
    for batch in split.batches():
        parts += running.parts(batch.inputs)
        targets.append(batch.target)
    return running, parts, targets


Part = tuple[Sequence[Array], int]
"""The outputs of a run, and its number of samples."""


@dataclass(frozen=True)
class ModelRuns:
    """Runs of a model file on samples on this machine."""

    session: Any
    feeding: Feeding
    axes: Axes
    """The sample axis of each output."""
    names: tuple[str, ...]

    @staticmethod
    def of(path: Path, *, exact: bool, sample: Arrays, runtime: str = "") -> "ModelRuns":
        """Find the sample axis of each output with `sample`, arrays with axes (1, ...)."""
        opened = open_session(path, exact=exact, runtime=runtime)
        feeding = feeding_of(ports_of(path)[0])
        axes = batch_axes(lambda inputs: session_outputs(opened, feeding.feed(inputs)), sample, feeding.size)
        return ModelRuns(opened, feeding, axes, tuple(each.name for each in opened.get_outputs()))

    def parts(self, inputs: Arrays) -> list[Part]:
        """The outputs for samples (samples, ...), run by run, each with its number of samples."""
        return [(session_outputs(self.session, feed), count) for feed, count in self.feeding.feeds(inputs)]

    def join(self, parts: Sequence[Part]) -> Outputs[Array]:
        """The outputs of runs joined along their sample axes, without padding."""
        return join_outputs([self._cut(*part) for part in parts], self.axes)

    def by_sample(self, parts: Sequence[Part]) -> Sampled:
        """The outputs of runs, sample by sample. If a run holds several samples, outputs without a sample axis are left
        out; if there are no others, a run counts as one sample."""
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
    """An output split into `count` samples, each of which may have several rows."""
    return output if len(output) == count else output.reshape(count, -1, *output.shape[1:])
