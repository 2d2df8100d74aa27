"""How samples are fed to a model: the batch axis of each input, and the number of samples per run."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.arrays import Array, Arrays
from edgekit.errors import ModelError
from edgekit.model.ports import ANONYMOUS, Port
from edgekit.model.sizes import batch_names

_LENGTH = re.compile("seq|len|time|step|frame|token", re.IGNORECASE)


@dataclass(frozen=True)
class Feeding:
    """Maps samples with axes (samples, ...) to the inputs of a model, whose batch axis may be another one."""

    axes: tuple[int | None, ...]
    """The batch axis of each input; None for an input without one, such as a scalar, which holds one sample's
    values."""
    size: int
    """The samples per run, if the file fixes them; 0 for any number."""

    def feed(self, inputs: Arrays) -> Arrays:
        """The samples (samples, ...) as inputs of one run, with the sample axis where the model has it. Raises
        ModelError if the number of inputs differs."""
        if len(inputs) != len(self.axes):
            raise ModelError(
                f"the model takes {len(self.axes)} inputs, but the data has {len(inputs)}", "make both agree"
            )
        return tuple(_along(*pair) for pair in zip(inputs, self.axes, strict=True))

    def feeds(self, inputs: Arrays, size: int = 0) -> Iterator[tuple[Arrays, int]]:
        """The samples in runs of the file's fixed size, else of `size`, else in one run, each with its number of
        samples. The last run is padded with copies of the last sample."""
        count = len(inputs[0])
        step = self.size or size or count
        for start in range(0, count, step):
            part = tuple(each[start : start + step] for each in inputs)
            yield self.feed(_pad(part, self.size)), len(part[0])


def feeding_of(ports: Sequence[Port]) -> Feeding:
    """The feeding of a model with these inputs: the batch axis is the one with `batch` in its name, else the first,
    unless that is named as a sample's own length."""
    names = {name for name in batch_names(ports) if not _LENGTH.search(name)} - {ANONYMOUS}
    firsts = [port.shape[0] for port in ports if port.shape]
    grows = bool(names) or ANONYMOUS in firsts
    lengths = [size for size in firsts if isinstance(size, int)]
    # States of recurrent networks have the layer axis first and the batch axis second.
    fixed = 0 if grows else 1 if 1 in lengths else next(iter(lengths), 0)
    axes = tuple(_axis(port, names, grows, fixed) for port in ports)
    ones = any(axis is None or (grows and port.shape[axis] == 1) for port, axis in zip(ports, axes, strict=True))
    return Feeding(axes, fixed or int(ones))


def sample_shape(port: Port, axis: int | None) -> tuple[int | str, ...]:
    """The shape of one sample of an input with the batch axis `axis`."""
    return tuple(size for place, size in enumerate(port.shape) if place != axis)


def _axis(port: Port, names: set[str], grows: bool, fixed: int) -> int | None:
    wanted: list[int | str] = [*sorted(names), *((ANONYMOUS, 1) if grows else (fixed,))]
    return next((port.shape.index(size) for size in wanted if size in port.shape), None)


def _along(array: Array, axis: int | None) -> Array:
    if axis is None:
        return array[0, ...]
    return np.moveaxis(array, 0, axis) if axis < array.ndim else array


def _pad(inputs: Arrays, size: int) -> Arrays:
    missing = size - len(inputs[0])
    if missing <= 0:
        return inputs
    return tuple(np.concatenate([each, np.repeat(each[-1:], missing, axis=0)]) for each in inputs)
