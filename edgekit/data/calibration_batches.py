"""Calibration data as the steps read it: batches for a quantizer, and samples on which two files are compared."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from edgekit.arrays import Arrays
from edgekit.data.splits import Splits
from edgekit.model.feeding import feeding_of
from edgekit.model.ports import Port
from edgekit.model.sample import COMPARED, ComparisonSamples, comparison_samples
from edgekit.progress import Progress
from edgekit.traits import Data


class CalibrationBatches:
    """An iterator over calibration batches that reports its progress."""

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

    def feeds(self, ports: Sequence[Port]) -> Iterator[Arrays]:
        """The batches as a model with these inputs takes them, one sample at a time where the model allows it: peak
        memory then does not depend on the batch size, and histograms need batches of one size."""
        feeding = feeding_of(ports)
        for batch in self:
            for feed, _ in feeding.feeds(batch, 1):
                yield feed


def calibration_batches(splits: Splits, progress: Progress) -> CalibrationBatches:
    """The calibration split, limited to the number of samples that the project sets."""
    split, limit = splits[Data.CALIBRATION], splits.project.data.calibration_samples
    total = limit if split.length is None else min(limit, split.length)
    return CalibrationBatches((batch.inputs for batch in split.batches(limit=limit)), total, progress)


def first_calibration_samples(splits: Splits, path: Path) -> ComparisonSamples:
    """The first calibration samples, on which a rewritten file is compared with its source `path`; random inputs where
    the project has no calibration data."""
    has_samples = bool(splits.project.data_entry(Data.CALIBRATION))
    return comparison_samples(path, splits[Data.CALIBRATION].alike(limit=COMPARED)[0] if has_samples else ())
