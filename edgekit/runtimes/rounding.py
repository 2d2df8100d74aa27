"""What floating point explains of a difference: measured on the model itself, not assumed."""

from edgekit.arrays import Arrays
from edgekit.model.parity import relative_difference

_LEAST = 1e-4
"""What another order of additions does to an ordinary network's outputs is below it."""
_MOST = 0.05
"""A model whose own runs lie further apart than that could hide any fault behind them."""
_MULTIPLE = 4
"""A rewrite may reorder more than the runtime's optimization does."""


def float_tolerance(plain: Arrays, rounded: Arrays) -> float:
    """How far, as `relative_difference` counts, a rewritten float model may lie from what it came from: four times what
    lies between two runs of that which differ by rounding alone, from 1e-4 to 0.05: a file with the runtime's own
    optimization and without, a module with as many digits and with twice as many.

    An output that is the small rest of large sums differs from one order of additions to another by much more than a
    fixed tolerance allows.
    """
    return min(max(_LEAST, _MULTIPLE * relative_difference(plain, rounded)), _MOST)
