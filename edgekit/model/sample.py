"""Inputs made up for a model file, where no data is at hand: seeded, of the right shape and type."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edgekit.arrays import Arrays
from edgekit.errors import ModelError
from edgekit.model.counting import inspected
from edgekit.model.ports import batch_of_one


def random_inputs(path: Path, batch: int = 1, shapes: Mapping[str, int] | None = None, seed: int = 0) -> Arrays:
    """One array for each input: floats from a standard normal distribution, integers 0 and 1, booleans.

    A dynamic first axis gets `batch`. Raises ModelError for other dynamic axes that `shapes` does not name.
    """
    random = np.random.default_rng(seed)
    made = []
    for port in inspected(path).inputs:
        shape = batch_of_one(port, dict(shapes or {}))
        if port.shape and not isinstance(port.shape[0], int):
            shape = (batch, *shape[1:])
        dtype = np.dtype(port.dtype) if port.dtype != "unknown" else None
        if dtype is None or dtype.kind not in "fiub":
            raise ModelError(
                f"input '{port.name}' has type {port.dtype}, for which no input can be made up",
                "use a tensor of numbers",
            )
        made.append(
            random.standard_normal(shape).astype(dtype)
            if dtype.kind == "f"
            else random.integers(0, 2, shape).astype(dtype)
        )
    return tuple(made)
