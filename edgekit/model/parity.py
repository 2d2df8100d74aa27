"""How far two runs of a model lie apart: part by part, so that a small part is not drowned in a large one.

A part of an output is what one index along an axis behind the first selects: a class, a channel, a row of boxes.
"""

from collections.abc import Sequence

import numpy as np

from edgekit.arrays import Array

_LEAST_SCALE = 0.1
"""Of the output's largest value: nothing smaller is a part's scale, for the sums that made it may have rounded at the
scale of its neighbours."""


def relative_difference(expected: Sequence[Array], given: Sequence[Array]) -> float:
    """The largest absolute difference in any part of any output, relative to that part's largest absolute value (a
    tenth of the output's, where that is more); infinity where the shapes differ or a NaN stands against a number."""
    return max((_difference(*pair) for pair in zip(expected, given, strict=True)), default=0.0)


def _difference(expected: Array, given: Array) -> float:
    if expected.shape != given.shape:
        return float("inf")
    if expected.size == 0:
        return 0.0
    a, b = expected.astype(np.float64), given.astype(np.float64)
    apart = np.zeros_like(a)
    differs = ~((a == b) | (np.isnan(a) & np.isnan(b)))
    apart[differs] = np.abs(a[differs] - b[differs])
    if not np.isfinite(apart).all():
        return float("inf")
    sizes = np.where(np.isfinite(a), np.abs(a), 0.0)
    largest = float(sizes.max()) or 1.0
    worst = float(apart.max()) / largest
    for axis in range(1, a.ndim):
        others = tuple(each for each in range(a.ndim) if each != axis)
        scales = np.maximum(sizes.max(others), _LEAST_SCALE * largest)
        worst = max(worst, float((apart.max(others) / scales).max()))
    return worst
