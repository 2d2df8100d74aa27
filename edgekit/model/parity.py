"""How far two runs of a model lie apart."""

from collections.abc import Sequence

import numpy as np

from edgekit.arrays import Array


def relative_difference(expected: Sequence[Array], given: Sequence[Array]) -> float:
    """The largest absolute difference, relative to the largest absolute value of the same output; infinity where the
    shapes differ or a NaN stands against a number."""
    worst = 0.0
    for left, right in zip(expected, given, strict=True):
        if left.shape != right.shape:
            return float("inf")
        if left.size == 0:
            continue
        a, b = left.astype(np.float64), right.astype(np.float64)
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        apart = np.where(same, 0.0, np.abs(a - b))
        scale = float(np.max(np.abs(a[np.isfinite(a)]), initial=0.0)) or 1.0
        worst = max(worst, float("inf") if np.isnan(apart).any() else float(apart.max()) / scale)
    return worst
