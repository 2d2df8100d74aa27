"""torch's Dataset and DataLoader as a source of batches."""

from collections.abc import Iterable
from typing import Any, cast

from torch import Generator, Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset

from edgekit.errors import DataError


class TorchSource:
    """A Dataset or list of samples, put into batches here, or a DataLoader, which makes its own."""

    def __init__(self, given: "Dataset[Any] | DataLoader[Any] | list[Any]", batch_size: int, shuffled: bool) -> None:
        self._given = given
        self._batch_size = batch_size
        self._shuffled = shuffled and not isinstance(given, IterableDataset)

    def batches(self, seed: int) -> Iterable[Any]:
        """(input, target) of each batch, as numpy arrays, or tuples and dicts of them; anything else as it is
        served."""
        return (_as_numpy(item) for item in self._loader(seed))

    def samples(self) -> int | None:
        """How many there are; None where the data cannot say."""
        return _length(self._given.dataset if isinstance(self._given, DataLoader) else self._given)

    def batches_an_epoch(self) -> int | None:
        """How many batches an epoch has; None where the data cannot say."""
        return _length(self._loader(0))

    def origin(self, position: int) -> str:
        """Not known."""
        return ""

    def _loader(self, seed: int) -> "DataLoader[Any]":
        if isinstance(self._given, DataLoader):
            if self._given.generator is not None:
                self._given.generator.manual_seed(seed)
            return self._given
        generator = Generator().manual_seed(seed)
        # Whatever tells its length and gives items by number is a dataset to torch.
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
            f"tensors of type {str(item.dtype).removeprefix('torch.')} have no like in numpy",
            "give them as float32: .float()",
        ) from error
