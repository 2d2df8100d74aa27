"""What floating point explains of a difference: measured on the model itself, not assumed."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from edgekit.arrays import Arrays
from edgekit.model.reading import load_model, save_model
from edgekit.numerics.compare import relative_difference
from edgekit.numerics.perturb import perturb_ulp
from edgekit.runtimes.ort import feed_outputs
from edgekit.runtimes.tflite import TfliteSession, installed_runtimes

LEAST = 1e-4
"""What another order of additions does to an ordinary network's outputs is below it."""
_MOST = 0.05
"""A model whose own runs lie further apart than that could hide any fault behind them."""
_MULTIPLE = 4
"""A rewrite may reorder more than the runtime's optimization does."""
_PERTURBATIONS = 3
_LEAST_OF_STEPS, _MOST_OF_STEPS = 0.01, 0.2
"""A fault that moves no part by a hundredth of its largest value costs nothing; one that a model's own noise may hide
below a fifth is looked for in the metric."""
_MOST_LSB = 4
_TWICE = 2
"""Another CPU adds in another order everywhere; a nudge changes each constant once."""


def float_tolerance(plain: Arrays, rounded: Arrays) -> float:
    """How far, as `relative_difference` counts, a rewritten float model may lie from what it came from: four times what
    lies between two runs of that which differ by rounding alone, from 1e-4 to 0.05: a file with the runtime's own
    optimization and without, a module with as many digits and with twice as many.

    An output that is the small rest of large sums differs from one order of additions to another by much more than a
    fixed tolerance allows.
    """
    return min(max(LEAST, _MULTIPLE * relative_difference(plain, rounded)), _MOST)


def lsb_tolerance(path: Path, feeds: Arrays) -> float:
    """How far, as `relative_difference` counts, outputs of a model with 8-bit activations may lie apart on two CPUs:
    twice what nudging its float constants in their last places changes here, the worst of three times; from 0.01 to
    0.2. `feeds` are (feeds, ...) as `feed_outputs` takes them.

    Floats that lie between two integer steps fall to one side here and to the other there, and where each run finds its
    own ranges, that moves every step behind it.
    """
    plain = feed_outputs(path, feeds)
    apart = max(relative_difference(plain, moved) for moved in _perturbed_outputs(path, feeds))
    return min(max(_LEAST_OF_STEPS, _TWICE * apart), _MOST_OF_STEPS)


def tie_tolerance(path: Path, feeds: Arrays, output: int, step: float) -> float:
    """How far an output that is stored in steps of this size may lie apart on two CPUs, as an absolute difference: one
    step, or what nudging the file's float constants in their last places moves it here, the worst of three times; four
    steps at most.

    Sums that lie between two steps fall to one side here and to the other there; in a deep network that moves steps
    behind it.
    """
    plain = feed_outputs(path, feeds)[output].astype(np.float64)
    apart = max(float(np.abs(moved[output] - plain).max(initial=0.0)) for moved in _perturbed_outputs(path, feeds))
    return min(max(step, apart), _MOST_LSB * step)


def kernel_tolerance(path: Path, feeds: Arrays, output: int, step: float) -> float:
    """How far an output of a .tflite file that is stored in steps of this size may lie apart on two CPUs, as an
    absolute difference: one step, or what lies between the runtimes that are installed here; four steps at most.

    TFLite's own kernels round twice in fixed point, in another way on ARM than on x86; XNNPACK's round once in floats.
    """
    outputs = []
    for runtime in installed_runtimes():
        running = TfliteSession(path, runtime, threads=1)
        names = [port.name for port in running.get_inputs()]
        runs = [
            running.run(None, dict(zip(names, (each[number] for each in feeds), strict=True)))
            for number in range(len(feeds[0]))
        ]
        outputs.append(np.stack([run[output] for run in runs]).astype(np.float64))
    apart = max((float(np.abs(one - outputs[0]).max(initial=0.0)) for one in outputs), default=0.0)
    return min(max(step, apart), _MOST_LSB * step)


def _perturbed_outputs(path: Path, feeds: Arrays) -> Iterator[Arrays]:
    """What a file gives whose float constants were nudged in their last places, time after time."""
    model = load_model(path)
    with TemporaryDirectory() as folder:
        for seed in range(_PERTURBATIONS):
            copy = Path(folder) / path.name
            save_model(perturb_ulp(model, np.random.default_rng(seed)), copy)
            yield feed_outputs(copy, feeds)
