"""Compare two runs of a model part by part, so that large parts do not mask errors in small ones.

A part of an output is the slice at one index along an axis after the first: a class, a channel, a row of boxes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.arrays import Array

_LEAST_SCALE = 0.1
"""The smallest scale of a part, as a share of the output's largest value: intermediate sums may have been rounded at
the scale of other parts."""
_VARIES = 1e-8
"""As a share of the mean square: a smaller variance is rounding error."""


def relative_difference(expected: Sequence[Array], given: Sequence[Array]) -> float:
    """The largest absolute difference in any part of any output, relative to that part's largest absolute value (at
    least a tenth of the output's). Infinity if shapes differ or a NaN is compared with a number."""
    return max((_difference(*pair) for pair in zip(expected, given, strict=True)), default=0.0)


def signal_to_noise(expected: Array, given: Array) -> float:
    """SQNR in dB: the variance of the expected values (or their mean square if they are nearly constant) over the mean
    square of the difference. Infinite if nothing differs; minus infinity if shapes differ or only one of two values is
    finite."""
    if expected.shape != given.shape:
        return float("-inf")
    a, b = expected.astype(np.float64), given.astype(np.float64)
    finite = np.isfinite(a)
    if not (np.isfinite(b) == finite).all():
        return float("-inf")
    a, b = a[finite], b[finite]
    noise = float(np.mean((a - b) ** 2)) if a.size else 0.0
    return float("inf") if noise == 0 else 10 * float(np.log10(_signal(a) / noise))


@dataclass(frozen=True)
class LostParts:
    """The parts of an output with more noise than signal."""

    count: int
    total: int
    axis: int

    def __str__(self) -> str:
        return f"{self.count} of {self.total} along axis {self.axis}"


def lost_parts(expected: Array, given: Array) -> LostParts | None:
    """The lost parts along the first axis that has some; None if there are none, or if shapes differ."""
    if expected.shape != given.shape or not expected.size:
        return None
    a, b = expected.astype(np.float64), given.astype(np.float64)
    for axis in range(1, a.ndim):
        pairs = zip(np.moveaxis(a, axis, 0), np.moveaxis(b, axis, 0), strict=True)
        lost = sum(signal_to_noise(*pair) < 0 for pair in pairs)
        if lost:
            return LostParts(lost, a.shape[axis], axis)
    return None


def _difference(expected: Array, given: Array) -> float:
    if expected.shape != given.shape:
        return float("inf")
    if expected.size == 0:
        return 0.0
    if expected.dtype.kind in "OSUc":
        return 0.0 if np.array_equal(expected, given) else float("inf")
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


def _signal(values: Array) -> float:
    power = float(np.mean(values**2))
    variance = float(np.var(values))
    return variance if variance > _VARIES * power else max(power, float(np.finfo(np.float64).tiny))
