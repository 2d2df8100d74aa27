"""What floating point explains of a difference: measured on the model itself, not assumed."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from edgekit.arrays import Arrays
from edgekit.model.nudges import nudged
from edgekit.model.parity import relative_difference
from edgekit.model.reading import load_model, save_model
from edgekit.runtimes.ort import feed_outputs

_LEAST = 1e-4
"""What another order of additions does to an ordinary network's outputs is below it."""
_MOST = 0.05
"""A model whose own runs lie further apart than that could hide any fault behind them."""
_MULTIPLE = 4
"""A rewrite may reorder more than the runtime's optimization does."""
_NUDGES = 3
_LEAST_OF_STEPS, _MOST_OF_STEPS = 0.01, 0.2
"""A fault that moves no part by a hundredth of its largest value costs nothing; one that a model's own noise may hide
below a fifth is looked for in the metric."""
_TWICE = 2
"""Another CPU adds in another order everywhere; a nudge changes each constant once."""


def float_tolerance(plain: Arrays, rounded: Arrays) -> float:
    """How far, as `relative_difference` counts, a rewritten float model may lie from what it came from: four times what
    lies between two runs of that which differ by rounding alone, from 1e-4 to 0.05: a file with the runtime's own
    optimization and without, a module with as many digits and with twice as many.

    An output that is the small rest of large sums differs from one order of additions to another by much more than a
    fixed tolerance allows.
    """
    return min(max(_LEAST, _MULTIPLE * relative_difference(plain, rounded)), _MOST)


def step_tolerance(path: Path, feeds: Arrays) -> float:
    """How far, as `relative_difference` counts, outputs of a model with 8-bit activations may lie apart on two CPUs:
    twice what nudging its float constants in their last places changes here, the worst of three times; from 0.01 to
    0.2. `feeds` are (feeds, ...) as `feed_outputs` takes them.

    Floats that lie between two integer steps fall to one side here and to the other there, and where each run finds its
    own ranges, that moves every step behind it.
    """
    plain = feed_outputs(path, feeds)
    model = load_model(path)
    apart = []
    with TemporaryDirectory() as folder:
        for seed in range(_NUDGES):
            copy = Path(folder) / path.name
            save_model(nudged(model, np.random.default_rng(seed)), copy)
            apart.append(relative_difference(plain, feed_outputs(copy, feeds)))
    return min(max(_LEAST_OF_STEPS, _TWICE * max(apart)), _MOST_OF_STEPS)
