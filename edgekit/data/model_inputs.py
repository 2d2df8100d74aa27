"""Match arrays from files and functions with the inputs that a model declares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edgekit.arrays import Array, Arrays
from edgekit.errors import DataError, did_you_mean
from edgekit.model.feeding import Feeding, feeding_of, sample_shape
from edgekit.model.ports import Port

_LABELS = ("labels", "label", "targets", "target", "y")


@dataclass(frozen=True)
class Inputs:
    """The inputs of the model that the data is for."""

    ports: tuple[Port, ...]

    @cached_property
    def feeding(self) -> Feeding:
        return feeding_of(self.ports)

    def only(self, what: str) -> tuple[Port, tuple[int | str, ...]]:
        """The single input that `what` can feed, and the shape of its samples. Raises DataError if there are several
        inputs."""
        if len(self.ports) != 1:
            names = ", ".join(port.name for port in self.ports)
            raise DataError(
                f"{what} feed one input, but the model takes {len(self.ports)}: {names}",
                "give .npz files with an array for each input, or module:function",
            )
        return self.ports[0], sample_shape(self.ports[0], self.feeding.axes[0])

    def samples(self, given: Sequence[Array] | Mapping[str, Array], origin: str) -> Arrays:
        """The arrays from `origin` for the inputs, matched by name or order, each with axes (samples, ...).

        An array with the axes of one sample is one sample; with one more axis it holds several. An input without a
        sample axis, such as a scalar, may be given once for all. Raises DataError for what does not fit.
        """
        named = given if isinstance(given, Mapping) else self._in_order(given, origin)
        rows = [
            _rows(port, axis, named[port.name], origin)
            for port, axis in zip(self.ports, self.feeding.axes, strict=True)
        ]
        counts = {len(each) for each in rows} - {1}
        if len(counts) > 1:
            text = ", ".join(f"'{port.name}' {len(each)}" for port, each in zip(self.ports, rows, strict=True))
            raise DataError(
                f"{origin} holds different numbers of samples for its inputs: {text}",
                "give the same number of samples for each input",
            )
        count = next(iter(counts), 1)
        return tuple(each if len(each) == count else np.repeat(each, count, axis=0) for each in rows)

    def match(self, arrays: Mapping[str, Array], origin: str) -> tuple[dict[str, Array], Array | None]:
        """The arrays of a mapping by input, and its labels if it has an array named labels, targets or y.

        For a model with one input, its array may have any name. Raises DataError if an input has no array.
        """
        labels = next((name for name in _LABELS if name in arrays and name not in self._names), None)
        rest = {name: array for name, array in arrays.items() if name != labels}
        if len(self.ports) == 1 and len(rest) == 1:
            rest = {self.ports[0].name: next(iter(rest.values()))}
        for name in self._names:
            if name not in rest:
                raise DataError(
                    f"{origin} has no array '{name}', which is an input of the model", _holds(name, list(rest))
                )
        return rest, arrays[labels] if labels else None

    @property
    def _names(self) -> list[str]:
        return [port.name for port in self.ports]

    def _in_order(self, given: Sequence[Array], origin: str) -> dict[str, Array]:
        if len(given) != len(self.ports):
            names = ", ".join(self._names)
            raise DataError(f"{origin} gives {len(given)} inputs, but the model takes {names}", "make both agree")
        return dict(zip(self._names, given, strict=True))


def _holds(name: str, names: list[str]) -> str:
    return did_you_mean(name, names).replace("known:", "it holds:") or "it holds none"


def _rows(port: Port, axis: int | None, array: Array, origin: str) -> Array:
    """The samples of one input, moved to the first axis."""
    one = sample_shape(port, axis)
    array = _cast(port, array, origin)
    if array.ndim == len(one) and _agree(one, array.shape):
        return array[None]
    if array.ndim == len(one) + 1:
        if _agree(one, array.shape[1:]):
            return array
        if axis is not None and _agree(port.shape, array.shape, but=axis):
            return np.moveaxis(array, axis, 0)
    wanted = "x".join(str(size) for size in one) or "a scalar"
    text = "x".join(str(size) for size in array.shape) or "a scalar"
    raise DataError(
        f"{origin} holds {text} for the input '{port.name}', which takes {wanted} for one sample",
        "give each sample in that shape, or several samples along a leading axis",
    )


def _agree(wanted: Sequence[int | str], shape: Sequence[int], but: int | None = None) -> bool:
    return len(wanted) == len(shape) and all(
        isinstance(size, str) or size == length
        for axis, (size, length) in enumerate(zip(wanted, shape, strict=True))
        if axis != but
    )


def _cast(port: Port, array: Array, origin: str) -> Array:
    """The array in the input's type, if that is of the same kind and can represent the values."""
    if port.dtype in ("unknown", "string") or array.dtype.name == port.dtype:
        return array
    wanted = np.dtype(port.dtype)
    if array.dtype.kind == "f" and wanted.kind == "f":
        return array.astype(wanted)
    if array.dtype.kind in "iu" and wanted.kind in "iu":
        limits = np.iinfo(wanted)
        if array.size and (array.min() < limits.min or array.max() > limits.max):
            raise DataError(
                f"{origin} holds {array.min()} to {array.max()} for the input '{port.name}', which takes {port.dtype}",
                f"give values from {limits.min} to {limits.max}",
            )
        return array.astype(wanted)
    raise DataError(
        f"{origin} holds {array.dtype.name} for the input '{port.name}', which takes {port.dtype}",
        f"convert it, and scale it as in training: .astype('{port.dtype}') alone may not be enough",
    )
