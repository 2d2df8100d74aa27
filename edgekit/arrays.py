"""numpy arrays of any type, as annotations name them."""

from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]
Arrays = tuple[Array, ...]
"""One array for each input or output of a model."""
