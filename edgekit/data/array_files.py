"""Arrays in .npy and .npz files as samples."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from edgekit.arrays import Array, Arrays
from edgekit.data.model_inputs import Inputs
from edgekit.data.samples import UNLABELLED, Sample
from edgekit.data.trees import Tree
from edgekit.errors import DataError, first_line

_MOST_BYTES = 1_000_000_000
"""What is read into memory of one file."""
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
        mapped = path.suffix.lower() == ".npy" and path.stat().st_size > _MOST_BYTES  # then it is not read as a whole
        held = np.load(path, allow_pickle=False, mmap_mode="r" if mapped else None)
        if isinstance(held, np.ndarray):
            _check_size(path, held)
            return {"array": held}
        with held:
            unpacked = sum(each.file_size for each in held.zip.infolist())
            if unpacked > _MOST_BYTES:
                raise DataError(
                    f"{path} holds {unpacked / 1e9:.1f} GB unpacked, more than {_MOST_BYTES / 1e9:.1f} GB",
                    "split it, or store its array as .npy, which is not read as a whole",
                )
            return {name: held[name] for name in held.files}
    except DataError:
        raise
    except Exception as error:  # numpy and zipfile raise many types: encrypted, of unknown compression, damaged
        raise DataError(
            f"{path} cannot be read: {first_line(error)}", "write it again with numpy.save or numpy.savez"
        ) from error


def _check_size(path: Path, array: Array) -> None:
    """Raises ValueError if a .npy file holds more or less than its header declares: numpy reads fewer samples then."""
    with path.open("rb") as file:
        start = file.read(12)
    width = 2 if start[6] == 1 else 4  # of the header's length, by the format's version
    there = path.stat().st_size - 8 - width - int.from_bytes(start[8 : 8 + width], "little")
    if there != array.nbytes:
        raise ValueError(f"it holds {there:,} bytes, and its header declares {array.nbytes:,}")


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
