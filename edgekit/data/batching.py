"""Batches of outputs: which axis holds the samples, and how batches are joined."""

from collections.abc import Callable, Sequence

import numpy as np

from edgekit.arrays import Array, Arrays, Outputs
from edgekit.errors import DataError

Axes = tuple[int | None, ...]
"""For each output, the axis that holds the samples; None if none does."""


def batch_axes(run: Callable[[Arrays], Arrays], inputs: Arrays, fixed: int = 0) -> Axes:
    """For each output of `run`, the axis that holds the samples of `inputs`, whose batch axis is first: the first axis
    whose length grows with the batch; if `run` takes exactly `fixed` samples, the first axis of that length."""
    if fixed:
        return tuple(_of_length(each.shape, fixed) for each in run(_repeat(inputs, fixed)))
    two, three = run(_repeat(inputs, 2)), run(_repeat(inputs, 3))
    return tuple(_grow(*pair) for pair in zip((e.shape for e in two), (e.shape for e in three), strict=True))


def join_outputs(parts: Sequence[Outputs[Array]], axes: Axes) -> Outputs[Array]:
    """Join the outputs of several batches. An output without a batch axis is kept once if it is always the same, else
    stacked. Raises DataError for outputs whose length depends on the data."""
    whole = []
    for number, axis in enumerate(axes):
        arrays = [part[number] for part in parts]
        try:
            if axis is not None:
                whole.append(np.concatenate(arrays, axis))
            else:
                same = all(np.array_equal(each, arrays[0], equal_nan=each.dtype.kind == "f") for each in arrays)
                whole.append(arrays[0] if same else np.stack(arrays))
        except ValueError as error:
            shapes = sorted({each.shape for each in arrays})
            raise DataError(
                f"the output '{parts[0].names[number]}' has different shapes in different batches, such as "
                f"{shapes[-1]}",
                "give outputs whose shape does not depend on the data: run non-maximum suppression on the device, "
                "after the model",
            ) from error
    return Outputs(whole, parts[0].names)


def _repeat(inputs: Arrays, count: int) -> Arrays:
    return tuple(np.repeat(each[:1], count, axis=0) for each in inputs)


def _grow(two: tuple[int, ...], three: tuple[int, ...]) -> int | None:
    """The first axis whose length grows by half."""
    if len(two) != len(three):
        return None
    return next((i for i, (a, b) in enumerate(zip(two, three, strict=True)) if a and 3 * a == 2 * b), None)


def _of_length(shape: tuple[int, ...], length: int) -> int | None:
    return next((axis for axis, size in enumerate(shape) if size == length), None)
