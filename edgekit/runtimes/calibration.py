"""Calibration samples on their way through a model."""

from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from edgekit.arrays import Array, Arrays
from edgekit.model.cuts import exposed
from edgekit.model.feeding import feeding_of
from edgekit.model.ports import Port, inputs_of
from edgekit.model.reading import load_model, save_model
from edgekit.progress import Progress
from edgekit.runtimes.ort import session, session_outputs


class Watched:
    """Calibration batches that report how far they are."""

    def __init__(self, batches: Iterator[Arrays], total: int, progress: Progress) -> None:
        self.batches = batches
        self.total = total
        self.progress = progress
        self.samples = 0

    def __iter__(self) -> Iterator[Arrays]:
        return self

    def __next__(self) -> Arrays:
        batch = next(self.batches)
        self.samples += len(batch[0])
        self.progress.advanced("calibrating", self.samples, self.total, "samples")
        return batch

    def fed(self, ports: Sequence[Port]) -> Iterator[Arrays]:
        """The batches as a model with these inputs takes them, a sample at a time where it takes that: the memory of
        what is then alive is used again, and histograms want all batches of one size."""
        feeding = feeding_of(ports)
        for batch in self:
            for feed, _ in feeding.feeds(batch, 1):
                yield feed


def channel_ranges(path: Path, names: Set[str], batches: Watched) -> dict[str, Array]:
    """The largest absolute value in each channel (of the last axis) of a model's inner tensors, by name: shape
    (channels,). Raises ModelError where the model cannot run."""
    model = load_model(path)
    ports = inputs_of(model.graph)
    found: dict[str, Array] = {}
    with TemporaryDirectory() as folder:
        whole = Path(folder) / "whole.onnx"
        save_model(exposed(model, names), whole)
        running = session(whole)
        for feed in batches.fed(ports):
            given = session_outputs(running, feed)
            values = dict(zip((*(port.name for port in ports), *given.names), (*feed, *given), strict=True))
            for name in names & values.keys():
                largest = np.abs(values[name]).reshape(-1, values[name].shape[-1]).max(axis=0)
                found[name] = np.maximum(found[name], largest) if name in found else largest
    return found
