"""torch's Dataset or DataLoader as a source of batches."""

from collections.abc import Iterable
from typing import Any, cast

from torch import Generator, Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset

from edgekit.errors import DataError


class TorchSource:
    """A Dataset or list of samples, batched here, or a DataLoader, which has its own batches."""

    def __init__(self, given: "Dataset[Any] | DataLoader[Any] | list[Any]", batch_size: int, shuffled: bool) -> None:
        self._given = given
        self._batch_size = batch_size
        self._shuffled = shuffled and not isinstance(given, IterableDataset)

    def batches(self, seed: int) -> Iterable[Any]:
        """(input, target) of each batch as numpy arrays, or tuples and dicts of them; other values are unchanged."""
        return (_as_numpy(item) for item in self._loader(seed))

    def samples(self) -> int | None:
        """The number of samples; None if the data does not report it."""
        return _length(self._given.dataset if isinstance(self._given, DataLoader) else self._given)

    def batches_an_epoch(self) -> int | None:
        """The number of batches in an epoch; None if the data does not report it."""
        return _length(self._loader(0))

    def origin(self, position: int) -> str:
        """Unknown for torch's sources."""
        return ""

    def _loader(self, seed: int) -> "DataLoader[Any]":
        if isinstance(self._given, DataLoader):
            if self._given.generator is not None:
                self._given.generator.manual_seed(seed)
            return self._given
        generator = Generator().manual_seed(seed)
        # torch takes any object with a length and items by number as a dataset.
        return DataLoader(
            cast("Dataset[Any]", self._given), self._batch_size, shuffle=self._shuffled, generator=generator
        )


def _length(sized: Any) -> int | None:
    try:
        return len(sized)
    except TypeError:
        return None


def _as_numpy(item: Any) -> Any:
    if isinstance(item, tuple | list):
        return tuple(_as_numpy(each) for each in item)
    if isinstance(item, dict):
        return {key: _as_numpy(each) for key, each in item.items()}
    if not isinstance(item, Tensor):
        return item
    try:
        return item.detach().cpu().numpy()
    except TypeError as error:
        raise DataError(
            f"tensors of type {str(item.dtype).removeprefix('torch.')} have no numpy equivalent",
            "give them as float32: .float()",
        ) from error
