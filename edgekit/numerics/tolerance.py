"""Tolerances for floating-point differences, measured on the model itself."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edgekit.arrays import Array, Arrays
from edgekit.model.reading import load_model, save_model
from edgekit.numerics.compare import relative_difference
from edgekit.numerics.perturb import perturb_ulp
from edgekit.runtimes.ort import feed_outputs, session_feed_outputs
from edgekit.runtimes.tflite import TfliteSession, tflite_runtime
from edgekit.scratch import temporary_folder

LEAST = 1e-4
"""Reordered additions change the outputs of an ordinary network by less."""
_MOST = 0.05
"""If a model's own runs differ by more, any defect could be hidden."""
_MULTIPLE = 4
"""A rewrite may reorder more than the runtime's optimization does."""
_PERTURBATIONS = 3
_LEAST_OF_STEPS, _MOST_OF_STEPS = 0.01, 0.2
"""A defect that changes no part by 1 % of its largest value is harmless. Up to 20 %, a model's own noise may hide a
defect, which the metric then shows."""
MOST_LSB = 4
"""Of an output on two CPUs. TFLite's own kernels round twice in fixed point, differently on ARM and x86, and XNNPACK's
round once in float: each layer may add to the difference."""
_TWICE = 2
"""Another CPU reorders additions everywhere, while a ULP perturbation changes each constant once."""


def float_tolerance(plain: Arrays, rounded: Arrays) -> float:
    """The tolerance of `relative_difference` for a rewritten float model: four times the difference between two runs of
    its source that differ by rounding alone, from 1e-4 to 0.05. The two runs are a file with and without the runtime's
    optimization, or a module in single and double precision.

    An output that is the small remainder of large sums changes with the order of additions by much more than a fixed
    tolerance allows.
    """
    return min(max(LEAST, _MULTIPLE * relative_difference(plain, rounded)), _MOST)


def lsb_tolerance(path: Path, feeds: Arrays) -> float:
    """The tolerance of `relative_difference` for a model with 8-bit activations on two CPUs: twice the change under ULP
    perturbation of its float constants, the largest of three, from 0.01 to 0.2. `feeds` are arrays with axes (feeds,
    ...), as `feed_outputs` takes them.

    A float midway between two integers is rounded differently on two CPUs. With dynamic ranges, that changes every
    later integer.
    """
    plain = feed_outputs(path, feeds)
    apart = max(relative_difference(plain, moved) for moved in _perturbed_outputs(path, feeds))
    return min(max(_LEAST_OF_STEPS, _TWICE * apart), _MOST_OF_STEPS)


def tie_tolerance(path: Path, feeds: Arrays, output: int, step: float) -> float:
    """The absolute tolerance for an output stored in LSB of size `step` on two CPUs: one LSB, or the change under ULP
    perturbation of the file's float constants, the largest of three, at most four LSB.

    A sum midway between two integers is rounded differently on two CPUs; in a deep network that changes later integers.
    """
    plain = feed_outputs(path, feeds)[output].astype(np.float64)
    apart = max(float(np.abs(moved[output] - plain).max(initial=0.0)) for moved in _perturbed_outputs(path, feeds))
    return min(max(step, apart), MOST_LSB * step)


def tflite_tolerance(path: Path, feeds: Arrays) -> float:
    """The tolerance of `relative_difference` for float outputs of a .tflite file with 8-bit tensors on two CPUs: the
    change when the float inputs move by up to half of a 255th of their range, as if each were rounded otherwise, the
    largest of three, from 0.01 to 0.2. `feeds` are arrays with axes (feeds, ...), in the ONNX model's form."""
    running = TfliteSession(path, tflite_runtime(), threads=1)
    plain = session_feed_outputs(running, feeds)
    apart = 0.0
    for seed in range(_PERTURBATIONS):
        moved = tuple(_moved(each, np.random.default_rng(seed)) for each in feeds)
        apart = max(apart, relative_difference(plain, session_feed_outputs(running, moved)))
    return min(max(_LEAST_OF_STEPS, apart), _MOST_OF_STEPS)


def _moved(array: Array, random: np.random.Generator) -> Array:
    """Floats moved by up to half of a 255th of their range; anything else unchanged."""
    if array.dtype.kind != "f" or not array.size:
        return array
    half = float(np.ptp(array)) / 255 / 2
    moved: Array = (array + random.uniform(-half, half, array.shape)).astype(array.dtype)
    return moved


def _perturbed_outputs(path: Path, feeds: Arrays) -> Iterator[Arrays]:
    """The outputs of a file under repeated ULP perturbation of its float constants."""
    model = load_model(path)
    with temporary_folder() as folder:
        for seed in range(_PERTURBATIONS):
            copy = folder / path.name
            save_model(perturb_ulp(model, np.random.default_rng(seed)), copy)
            yield feed_outputs(copy, feeds)
