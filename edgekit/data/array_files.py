"""Arrays in .npy and .npz files as samples."""

import zipfile
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from edgekit.arrays import Array, Arrays
from edgekit.data.model_inputs import Inputs
from edgekit.data.samples import UNLABELLED, Sample
from edgekit.data.trees import Tree
from edgekit.errors import DataError, first_line

RowsAndLabels = tuple[Arrays, Array | None]
"""The arrays of a file for the inputs, samples first, and its labels."""


class ArrayFileSamples:
    """Array files, each with one or several samples. Raises DataError for a file that cannot be read, does not fit the
    model, or has labels for some samples only."""

    def __init__(self, paths: Sequence[Path], targets: Sequence[Tree] | None, inputs: Inputs) -> None:
        """`targets` has one entry per file; None takes the labels in the files."""
        self._paths = paths
        # Samples are accessed in any order: the file that was read last is kept for its other samples.
        self._held: Callable[[Path], RowsAndLabels] = lru_cache(maxsize=1)(lambda path: read_rows(path, inputs))
        self._places: list[tuple[int, int]] = []
        self._targets: list[Tree] = []
        self._counts: list[int] = []
        for number, path in enumerate(paths):
            rows, labels = self._held(path)
            count = len(rows[0])
            self._counts.append(count)
            self._places += [(number, row) for row in range(count)]
            self._targets += _split_rows(path, labels, count) if targets is None else [targets[number]] * count
        bare = [number for number, target in enumerate(self._targets) if target is UNLABELLED]
        if bare and len(bare) < len(self._targets):
            raise DataError(
                f"{self.origin(bare[0])} has no label, but other files have one",
                "give labels for all files, or for none",
            )

    def __len__(self) -> int:
        return len(self._places)

    def sample(self, number: int) -> Sample:
        file, row = self._places[number]
        return Sample(tuple(each[row] for each in self._held(self._paths[file])[0]), self._targets[number])

    def origin(self, number: int) -> str:
        file, row = self._places[number]
        path = self._paths[file]
        return f"{path}, sample {row}" if self._counts[file] > 1 else str(path)


def read_rows(path: Path, inputs: Inputs) -> RowsAndLabels:
    """The arrays of a .npy or .npz file for a model. Raises DataError for a file that cannot be read or does not
    fit."""
    arrays = _load(path)
    if path.suffix.lower() == ".npy":
        port, _ = inputs.only(".npy files")
        return inputs.samples({port.name: arrays["array"]}, str(path)), None
    named, labels = inputs.match(arrays, str(path))
    return inputs.samples(named, str(path)), labels


def _load(path: Path) -> dict[str, Array]:
    try:
        held = np.load(path, allow_pickle=False)
        if isinstance(held, np.ndarray):
            return {"array": held}
        with held:
            return {name: held[name] for name in held.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} cannot be read: {first_line(error)}", "write it again with numpy.save or numpy.savez"
        ) from error


def _split_rows(path: Path, labels: Array | None, count: int) -> list[Tree]:
    if labels is None:
        return [UNLABELLED] * count
    if labels.ndim == 0 and count == 1:
        return [labels]
    if labels.ndim == 0 or len(labels) != count:
        result = len(labels) if labels.ndim else 1
        raise DataError(
            f"{path} has {count} samples and {result} labels", "give one label per sample, in the same order"
        )
    return list(labels)
