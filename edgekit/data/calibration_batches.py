"""Calibration data as the steps read it: batches for a quantizer, and samples on which two files are compared."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from edgekit.arrays import Arrays
from edgekit.data.splits import Splits
from edgekit.model.feeding import feeding_of
from edgekit.model.ports import Port
from edgekit.model.sample import COMPARED, ComparisonSamples, comparison_samples
from edgekit.progress import Progress
from edgekit.traits import Data

_OUTLYING = 100.0
"""How many times the median sample's largest value is an outlier's."""
_FEW = 0.05
"""The largest share of samples that are outliers, rather than a part of the distribution."""


class CalibrationBatches:
    """An iterator over calibration batches that reports its progress, and which samples are outliers."""

    def __init__(
        self,
        batches: Iterator[Arrays],
        total: int,
        progress: Progress,
        origin: Callable[[int], str] = lambda _: "",
    ) -> None:
        """`origin` says where the sample at a position comes from; empty if that is unknown."""
        self.batches = batches
        self.total = total
        self.progress = progress
        self.origin = origin
        self.samples = 0
        self._largest: list[list[float]] = []

    def __iter__(self) -> Iterator[Arrays]:
        return self

    def __next__(self) -> Arrays:
        batch = next(self.batches)
        floats = [np.abs(each.reshape(len(each), -1)).max(1, initial=0.0) for each in batch if each.dtype.kind == "f"]
        self._largest += np.stack(floats, 1).tolist() if floats else []
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

    def outliers(self) -> list[str]:
        """The samples seen so far whose largest value in an input is over 100 times that of the median sample, and
        what to do: one such sample sets the range of every activation."""
        largest = np.array(self._largest)
        if len(largest) < 2:
            return []
        usual = np.median(largest, axis=0)
        shares = np.divide(largest, usual, out=np.zeros_like(largest), where=usual > 0).max(1)
        found = np.flatnonzero(shares > _OUTLYING)
        if len(found) > max(1, _FEW * len(largest)):
            return []
        return [
            f"{self.origin(int(number)) or f'calibration sample {number}'} has values {shares[number]:,.0f} times as "
            "large as the median sample, and sets the activation ranges: remove it if the device never gets such values"
            for number in found
        ]


def calibration_batches(splits: Splits, progress: Progress) -> CalibrationBatches:
    """The calibration split, limited to the number of samples that the project sets."""
    split, limit = splits[Data.CALIBRATION], splits.project.data.calibration_samples
    total = limit if split.length is None else min(limit, split.length)
    return CalibrationBatches((batch.inputs for batch in split.batches(limit=limit)), total, progress, split.origin)


def first_calibration_samples(splits: Splits, path: Path) -> ComparisonSamples:
    """The first calibration samples, on which a rewritten file is compared with its source `path`; random inputs where
    the project has no calibration data."""
    has_samples = bool(splits.project.data_entry(Data.CALIBRATION))
    return comparison_samples(path, splits[Data.CALIBRATION].alike(limit=COMPARED)[0] if has_samples else ())
