"""What floating point explains of a difference: measured on the model itself, not assumed."""

from collections.abc import Sequence
from pathlib import Path

from edgekit.arrays import Array
from edgekit.model.parity import relative_difference
from edgekit.runtimes.ort import host_outputs

_LEAST = 1e-4
"""What another order of additions does to an ordinary network's outputs is below it."""
_MOST = 0.05
"""A model whose own runs lie further apart than that could hide any fault behind them."""
_MULTIPLE = 4
"""A rewrite may reorder more than the runtime's optimization does."""


def float_tolerance(path: Path, inputs: Sequence[Array], plain: Sequence[Array]) -> float:
    """How far, as `relative_difference` counts, a rewritten float model may lie from the file that it came from: four
    times what the runtime's own optimization does to that file on these inputs, from 1e-4 to 0.05. `plain` is what it
    gives without.

    An output that is the small rest of large sums differs from one order of additions to another by much more than a
    fixed tolerance allows.
    """
    own = relative_difference(plain, host_outputs(path, inputs))
    return min(max(_LEAST, _MULTIPLE * own), _MOST)
