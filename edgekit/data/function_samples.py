"""What a function returns for an ONNX model, as samples: arrays, or items accessed by number."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgekit.arrays import Array, Arrays
from edgekit.data.model_inputs import Inputs
from edgekit.data.samples import UNLABELLED, Sample, Samples
from edgekit.data.trees import Tree, leaves, map_tree
from edgekit.errors import DataError, EntryPointError
from edgekit.project.entrypoints import user_code_errors

_KINDS = "a dict of arrays by input, an array, (inputs, labels), or a list of samples or of (input, label) pairs"


def samples_from_arrays(given: Any, entry: str, inputs: Inputs) -> Samples:
    """Samples from arrays with the sample axis first: a dict by input (labels under `labels`), one array, or (inputs,
    labels). Or from a list or other sized sequence, whose items are each a dict by input, an array, or an (input,
    target) pair.

    Raises EntryPointError for anything else, and DataError for what does not fit the model.
    """
    if isinstance(given, Mapping | np.ndarray):
        return _WholeArrays(given, UNLABELLED, entry, inputs)
    if isinstance(given, tuple):
        if len(given) != 2:
            raise EntryPointError(f"'{entry}' returned a tuple of {len(given)}", f"return {_KINDS}")
        return _WholeArrays(given[0], given[1], entry, inputs)
    if hasattr(given, "__len__") and hasattr(given, "__getitem__"):
        return _SampleItems(given, entry, inputs)
    raise EntryPointError(f"'{entry}' returned a {type(given).__name__}", f"return {_KINDS}")


class _WholeArrays:
    """All samples in one array per input."""

    def __init__(self, given: Any, labels: Tree, entry: str, inputs: Inputs) -> None:
        self._entry = entry
        self._inputs, found = _match_inputs(given, f"'{entry}'", inputs)
        self._labels = found if labels is UNLABELLED and found is not None else labels
        if isinstance(self._labels, list):
            self._labels = np.asarray(self._labels)
        counts = {len(each) for each in leaves(self._labels)} - {len(self)}
        if counts:
            raise DataError(
                f"'{entry}' gives {len(self)} samples and {counts.pop()} labels", "give one label per sample"
            )

    def __len__(self) -> int:
        return len(self._inputs[0])

    def sample(self, number: int) -> Sample:
        return Sample(tuple(each[number] for each in self._inputs), map_tree(lambda each: each[number], self._labels))

    def origin(self, number: int) -> str:
        return f"'{self._entry}', sample {number}"


class _SampleItems:
    """An object with items by number."""

    def __init__(self, given: Any, entry: str, inputs: Inputs) -> None:
        self._given = given
        self._entry = entry
        self._inputs = inputs

    def __len__(self) -> int:
        return len(self._given)

    def sample(self, number: int) -> Sample:
        with user_code_errors(f"'{self._entry}'"):
            item = self._given[number]
        target: Tree = UNLABELLED
        if isinstance(item, tuple | list) and len(item) == 2:
            item, target = item[0], map_tree(np.asarray, item[1])
        rows, labels = _match_inputs(item, self.origin(number), self._inputs)
        if len(rows[0]) != 1:
            raise DataError(f"{self.origin(number)} holds {len(rows[0])} samples", "give one sample per item")
        return Sample(tuple(each[0] for each in rows), target if labels is None else labels)

    def origin(self, number: int) -> str:
        return f"'{self._entry}', item {number}"


def _match_inputs(given: Any, origin: str, inputs: Inputs) -> tuple[Arrays, Array | None]:
    """The arrays of each input, matched by name, by order, or as the only one, and the labels if a dict has them."""
    if isinstance(given, Mapping):
        named, labels = inputs.match({str(name): _array(each, origin) for name, each in given.items()}, origin)
        return inputs.samples(named, origin), labels
    parts: Sequence[Any] = given if isinstance(given, tuple | list) else [given]
    return inputs.samples([_array(each, origin) for each in parts], origin), None


def _array(value: Any, origin: str) -> Array:
    array = np.asarray(value)
    if array.dtype.kind not in "fiubSU":
        raise DataError(f"{origin} gives a {type(value).__name__}, which is not a numeric array", "give numpy arrays")
    return array
