"""How samples are put to a model: where their axis lies in each of its inputs, and how many it takes at a time."""

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
    """Samples come as (samples, ...) for each input; a model may want them along another axis."""

    axes: tuple[int | None, ...]
    """Of each input the axis of the samples; None where it has none, as a scalar, and holds one sample's own values."""
    size: int
    """The samples of a run where the file fixes that; 0: any number."""

    def feed(self, inputs: Arrays) -> Arrays:
        """The samples as one run takes them. Raises ModelError where there are more or fewer inputs."""
        if len(inputs) != len(self.axes):
            raise ModelError(f"the model takes {len(self.axes)} inputs, the data has {len(inputs)}", "make both agree")
        return tuple(_along(*pair) for pair in zip(inputs, self.axes, strict=True))

    def feeds(self, inputs: Arrays, size: int = 0) -> Iterator[tuple[Arrays, int]]:
        """The samples in runs of as many as the file fixes, else of `size`, else all at once; each with how many of
        them are samples: the last is filled up with copies of the last sample."""
        count = len(inputs[0])
        step = self.size or size or count
        for start in range(0, count, step):
            part = tuple(each[start : start + step] for each in inputs)
            yield self.feed(_filled(part, self.size)), len(part[0])


def feeding_of(ports: Sequence[Port]) -> Feeding:
    """How a model with these inputs is fed: by axes with `batch` in their name, else by the first ones, where they are
    not called after a sample's own length."""
    names = {name for name in batch_names(ports) if not _LENGTH.search(name)} - {ANONYMOUS}
    firsts = [port.shape[0] for port in ports if port.shape]
    grows = bool(names) or ANONYMOUS in firsts
    lengths = [size for size in firsts if isinstance(size, int)]
    # States of recurrent networks have layers first, and the samples behind them.
    fixed = 0 if grows else 1 if 1 in lengths else next(iter(lengths), 0)
    axes = tuple(_axis(port, names, grows, fixed) for port in ports)
    ones = any(axis is None or (grows and port.shape[axis] == 1) for port, axis in zip(ports, axes, strict=True))
    return Feeding(axes, fixed or int(ones))


def sample_shape(port: Port, axis: int | None) -> tuple[int | str, ...]:
    """The shape of one sample of an input whose samples lie along `axis`."""
    return tuple(size for place, size in enumerate(port.shape) if place != axis)


def _axis(port: Port, names: set[str], grows: bool, fixed: int) -> int | None:
    wanted: list[int | str] = [*sorted(names), *((ANONYMOUS, 1) if grows else (fixed,))]
    return next((port.shape.index(size) for size in wanted if size in port.shape), None)


def _along(array: Array, axis: int | None) -> Array:
    if axis is None:
        return array[0, ...]
    return np.moveaxis(array, 0, axis) if axis < array.ndim else array


def _filled(inputs: Arrays, size: int) -> Arrays:
    missing = size - len(inputs[0])
    if missing <= 0:
        return inputs
    return tuple(np.concatenate([each, np.repeat(each[-1:], missing, axis=0)]) for each in inputs)
