"""numpy arrays of any type, as annotations name them, and a model's outputs by name."""

from collections.abc import Iterable, Sequence
from typing import Any, Self, TypeVar

from numpy.typing import NDArray

Array = NDArray[Any]
Arrays = tuple[Array, ...]
"""One array for each input or output of a model."""
T = TypeVar("T")


class Outputs(tuple[T, ...]):
    """A model's outputs, arrays or tensors, to be had by position or by name."""

    names: tuple[str, ...]

    def __new__(cls, values: Iterable[T], names: Sequence[str]) -> Self:
        made = super().__new__(cls, values)
        made.names = tuple(names)
        return made

    def renamed(self, names: Sequence[str]) -> Self:
        """The same outputs by other names, where there are as many."""
        return type(self)(self, names) if len(names) == len(self) else self

    def __getitem__(self, key: Any) -> Any:
        """One output by its number or name, several by a slice. Raises KeyError where there is none of that name."""
        if not isinstance(key, str):
            return super().__getitem__(key)
        if key not in self.names:
            raise KeyError(f"there is no output '{key}' among {', '.join(self.names)}")
        return super().__getitem__(self.names.index(key))
