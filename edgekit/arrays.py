"""Array types for annotations, and a model's outputs by name."""

from collections.abc import Iterable, Sequence
from typing import Any, Self, TypeVar

from numpy.typing import NDArray

Array = NDArray[Any]
Arrays = tuple[Array, ...]
"""One array for each input or output of a model."""
T = TypeVar("T")


class Outputs(tuple[T, ...]):
    """A model's outputs, arrays or tensors, accessed by position or by name."""

    names: tuple[str, ...]

    def __new__(cls, values: Iterable[T], names: Sequence[str]) -> Self:
        made = super().__new__(cls, values)
        made.names = tuple(names)
        return made

    def with_names(self, names: Sequence[str]) -> Self:
        """The same outputs under other names; unchanged where the number of names differs."""
        return type(self)(self, names) if len(names) == len(self) else self

    def __getitem__(self, key: Any) -> Any:
        """An output by its number or name, or several by a slice. Raises KeyError for an unknown name."""
        if not isinstance(key, str):
            return super().__getitem__(key)
        if key not in self.names:
            raise KeyError(f"there is no output '{key}' among {', '.join(self.names)}")
        return super().__getitem__(self.names.index(key))
