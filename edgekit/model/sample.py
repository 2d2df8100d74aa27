"""Inputs for a model file: calibration samples if they fit, else random ones with a fixed seed and the right shapes and
types."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekit.arrays import Array, Arrays
from edgekit.errors import ModelError
from edgekit.model.feeding import feeding_of
from edgekit.model.ports import Port, inputs_of
from edgekit.model.reading import load_model
from edgekit.model.sizes import Sizes, fill_sizes, lengths

COMPARED = 8
"""The number of samples on which a rewritten file is compared with its source."""


@dataclass(frozen=True)
class ComparisonSamples:
    inputs: Arrays
    origin: str
    """A description: calibration samples, or random."""


def comparison_samples(path: Path, given: Arrays) -> ComparisonSamples:
    """As many of the calibration samples `given` as the file takes at once, one array per input with the batch axis
    first; random inputs if their shapes or types do not fit."""
    ports = inputs_of(load_model(path).graph)
    if len(given) == len(ports):
        inputs, count = next(feeding_of(ports).feeds(given))
        if all(_fits(*pair) for pair in zip(ports, inputs, strict=True)):
            return ComparisonSamples(inputs, f"{count} calibration sample{'s' if count > 1 else ''}")
    why = "the calibration samples do not match the inputs" if given else "no samples were given"
    return ComparisonSamples(random_inputs(path, batch=2), f"made-up inputs: {why}")


def random_inputs(path: Path, batch: int = 1, sizes: Sizes | None = None, seed: int = 0) -> Arrays:
    """One array per input: floats from a standard normal distribution, integers 0 and 1, booleans.

    Batch axes get length `batch`. Raises ModelError for other dynamic axes that `sizes` does not give.
    """
    return _random_arrays(fill_sizes(inputs_of(load_model(path).graph), sizes or {}, batch), seed)


def random_feeds(path: Path, count: int, sizes: Sizes | None = None, batch: int = 1) -> Arrays:
    """`count` feeds of `batch` samples, arrays with axes (feeds, ...), from `random_inputs`."""
    return feeds_like(inputs_of(load_model(path).graph), count, sizes, batch)


def feeds_like(ports: Sequence[Port], count: int, sizes: Sizes | None = None, batch: int = 1) -> Arrays:
    """Random feeds (count, *input shape) for a model with these inputs."""
    whole = fill_sizes(ports, sizes or {}, batch)
    made = [_random_arrays(whole, seed) for seed in range(count)]
    return tuple(np.stack(each) for each in zip(*made, strict=True))


def _random_arrays(ports: Sequence[Port], seed: int) -> Arrays:
    random = np.random.default_rng(seed)
    made = []
    for port in ports:
        shape = lengths(port)
        dtype = None if port.dtype in ("string", "unknown") else np.dtype(port.dtype)
        if dtype is None or dtype.kind not in "fiub":
            raise ModelError(
                f"input '{port.name}' has the type {port.dtype}, for which no random input can be generated",
                "use a numeric tensor",
            )
        made.append(
            np.asarray(random.standard_normal(shape), dtype)
            if dtype.kind == "f"
            else np.asarray(random.integers(0, 2, shape), dtype)
        )
    return tuple(made)


def _fits(port: Port, array: Array) -> bool:
    return (
        port.dtype == array.dtype.name
        and len(port.shape) == array.ndim
        and all(not isinstance(size, int) or size == given for size, given in zip(port.shape, array.shape, strict=True))
    )
