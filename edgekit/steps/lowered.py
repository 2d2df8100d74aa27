"""What steps that write a .tflite file share: writing it, and comparing it with its ONNX source."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.contract.step import Context
from edgekit.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgekit.arrays import Array, Arrays
    from edgekit.model.sample import ComparisonSamples
    from edgekit.runners.native import NativeRunner
    from edgekit.tflite.writing import WrittenModel

_STEPS = 2
"""In LSB: where TFLite has only a coarser integer form, it rounds twice."""


def write_tflite(source: Path, path: Path, context: Context, *, integer_ports: bool, dynamic: bool) -> dict[str, Any]:
    """Write the .tflite file and return the notes on it. Raises StepError for an operator that TFLite does not have,
    and for one whose outputs differ from ONNX's."""
    from edgekit.data.calibration_batches import first_calibration_samples
    from edgekit.files import write_bytes
    from edgekit.formats import inspect_file
    from edgekit.model.facts import output_step
    from edgekit.model.inspection import file_notes, operator_notes
    from edgekit.model.reading import load_model
    from edgekit.runtimes.tflite import tflite_runtime
    from edgekit.tflite.writing import write_model

    model = load_model(source)
    made = write_model(model, integer_ports=integer_ports, dynamic=dynamic)
    write_bytes(path, made.data)
    runtime = tflite_runtime(context.target.runtime.name)
    samples = first_calibration_samples(context.splits, source)
    found = inspect_file(path)
    return {
        **file_notes(path, found),
        **operator_notes(found),
        "orders": {name: list(order) for name, order in made.orders.items()},
        **_agreement(source, path, made, samples, runtime.name, output_step(model), dynamic=dynamic),
        "compared_on": samples.origin,
        "compared_with": str(runtime),
    }


def _agreement(
    source: Path,
    path: Path,
    made: "WrittenModel",
    samples: "ComparisonSamples",
    runtime: str,
    steps: "Mapping[str, float]",
    *,
    dynamic: bool,
) -> dict[str, Any]:
    """The differences of the outputs and, for integers, of each operator given the file's own inputs. Raises StepError
    for more than rounding explains."""
    import numpy as np

    from edgekit.formats import ports_of
    from edgekit.model.feeding import feeding_of
    from edgekit.numerics.compare import relative_difference, signal_to_noise
    from edgekit.numerics.tolerance import LEAST
    from edgekit.runners.native import NativeRunner
    from edgekit.runners.runner import Job
    from edgekit.runtimes.ort import feed_outputs

    feeds = [feed for feed, _ in feeding_of(ports_of(path)[0]).feeds(samples.inputs, 1)]
    stacked = tuple(np.stack(each) for each in zip(*feeds, strict=True))
    running = NativeRunner(runtime)
    given = running.run(Job([path], stacked)).outputs[0]
    wanted = feed_outputs(source, stacked)
    if not made.integers:
        noise = [signal_to_noise(*pair) for pair in zip(wanted, given, strict=True)]
        apart = relative_difference(wanted, given)
        if apart > LEAST and not dynamic:
            raise StepError(
                f"the TFLite model's outputs differ from the ONNX model's by {apart:.1e} of the largest value",
                "remove tflite from the recipe, and report the model",
            )
        finite = [each for each in noise if np.isfinite(each)]
        return {"difference": apart, "signal_to_noise_db": min(finite, default=None)}
    return {
        "steps_off": _lsb_errors(source, path, made, stacked, running),
        "output_steps_off": {
            name: round(float(np.abs(left - right).max(initial=0.0)) / steps[name], 2)
            for name, left, right in zip(made.names["outputs"], wanted, given, strict=True)
            if name in steps
        },
    }


def _lsb_errors(source: Path, path: Path, made: "WrittenModel", feeds: "Arrays", running: "NativeRunner") -> float:
    """The largest layer-wise error in LSB. Raises StepError for more than rounding twice explains."""
    from edgekit.numerics.layerwise import lsb_errors

    exposed = path.with_name("exposed.tflite")
    exposed.write_bytes(made.with_integer_outputs())
    given = _integers(exposed, feeds, running)
    exposed.unlink()
    worst, name = 0.0, ""
    for number in range(len(feeds[0])):
        integers = {each: arrays[number] for each, arrays in given.items()}
        found = lsb_errors(source, [each[number] for each in feeds], integers)
        worst, name = max((worst, name), *((steps, each) for each, steps in found.items()))
    if worst > _STEPS:
        raise StepError(
            f"the TFLite model's outputs differ from the ONNX model's: '{name}' by {worst:g} LSB",
            "remove tflite from the recipe, and report the model",
        )
    return worst


def _integers(exposed: Path, feeds: "Arrays", running: "NativeRunner") -> "dict[str, Array]":
    """Every 8-bit tensor for each feed as uint8, with axes (feeds, ...)."""
    import numpy as np

    from edgekit.runners.runner import Job
    from edgekit.tflite.reading import as_integers, read_tflite

    file = read_tflite(exposed)
    outputs = running.run(Job([exposed], feeds)).outputs[0]
    return {
        file.name(number): (as_integers(array, file.tensors[number]).astype(np.int16) + 128).astype(np.uint8)
        for number, array in zip(file.outputs, outputs, strict=True)
    }
