"""The agreement of two runtimes' outputs for one model."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.figures.measurement import Measurement
from edgekit.formats import format_of
from edgekit.gates.gates import shapes_of
from edgekit.traits import Fidelity, Format
from edgekit.wording import count_of

if TYPE_CHECKING:
    from edgekit.arrays import Array


def agreement(
    name: str,
    model: Path,
    outputs: Sequence["Array"],
    other: str,
    expected: Sequence["Array"],
    fidelity: Fidelity,
    samples: str,
) -> list[Measurement]:
    """The largest difference from another runtime's outputs for the same feeds, arrays with axes (feeds, ...): in LSB
    where all outputs are quantized, else as a share of a part's largest value; and the share of runs in which the
    argmax of the first output is the same."""
    import numpy as np

    from edgekit.numerics.compare import relative_difference

    how = f"from {other}, {samples}"
    steps = _steps(model)
    if shapes_of(outputs) != shapes_of(expected):
        return [
            Measurement(name, "share_apart", float("inf"), "share", fidelity, f"{how}: the outputs have other shapes")
        ]
    if len(steps) == len(expected):
        apart = max(
            float(np.abs(left.astype(np.float64) - right).max(initial=0.0)) / step
            for left, right, step in zip(outputs, expected, steps, strict=True)
        )
        result = Measurement(name, "steps_apart", round(apart, 2), "steps", fidelity, how)
    else:
        apart = relative_difference(expected, outputs)
        result = Measurement(
            name, "share_apart", apart, "share", fidelity, f"{how}, relative to the largest value of a part"
        )
    left, right = (np.asarray(each[0]).reshape(len(each[0]), -1) for each in (outputs, expected))
    if left.shape[1] < 2:
        return [result]
    same = 100.0 * float((left.argmax(1) == right.argmax(1)).mean())
    return [result, Measurement(name, "same_largest", same, "%", fidelity, f"{how}: {count_of(len(left), 'run')}")]


def _steps(model: Path) -> list[float]:
    """The scale of each quantized output."""
    if format_of(model) is Format.TFLITE:
        from edgekit.tflite.reading import read_tflite

        return list(read_tflite(model).output_steps().values())
    from edgekit.model.facts import output_step
    from edgekit.model.reading import load_model

    return list(output_step(load_model(model)).values())
