from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, save

from edgekit.formats import inspect_file
from edgekit.tflite.writing import write_model
from tests.tflite.models import floats, integers, needs_runtime, node, weights

pytestmark = needs_runtime
RNG = np.random.default_rng(0)


def both(folder: Path, model: ModelProto):  # type: ignore[no-untyped-def]
    """What is counted of a model as ONNX and as TFLite."""
    save(model, folder / "m.onnx")
    (folder / "m.tflite").write_bytes(write_model(model).data)
    return inspect_file(folder / "m.onnx"), inspect_file(folder / "m.tflite")


def drawn(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(
    ("nodes", "constants"),
    [
        ([node("Conv", ["x", "w", "b"], ["y"], pads=[1] * 4)], {"w": drawn(6, 4, 3, 3), "b": drawn(6)}),
        ([node("Conv", ["x", "w", "b"], ["y"], group=4)], {"w": drawn(8, 1, 3, 3), "b": drawn(8)}),
        ([node("ConvTranspose", ["x", "w", "b"], ["y"], strides=[2, 2])], {"w": drawn(4, 6, 2, 2), "b": drawn(6)}),
        ([node("Flatten", ["x"], ["f"]), node("Gemm", ["f", "w", "b"], ["y"])], {"w": drawn(256, 5), "b": drawn(5)}),
    ],
)
def test_the_same_is_counted_of_both_formats(
    nodes: list[object], constants: dict[str, np.ndarray], tmp_path: Path
) -> None:
    onnx, tflite = both(tmp_path, floats([1, 4, 8, 8], nodes, constants))  # type: ignore[arg-type]
    for name in ("macs", "parameters", "weight_bytes", "inputs", "outputs", "float_operators"):
        assert getattr(onnx, name) == getattr(tflite, name), name
    assert tflite.traits == ("float", "tflite")


def test_integers_are_reported(tmp_path: Path) -> None:
    dequantized, stored = weights([6, 4, 3, 3])
    model = integers([1, 4, 8, 9], [*dequantized, node("Conv", ["xd", "wd", "b"], ["yd"])], stored)
    onnx, tflite = both(tmp_path, model)
    assert (tflite.macs, tflite.integer_operators, tflite.float_operators) == (onnx.macs, 1, 0)
    assert tflite.weight_types == {"int8": 6 * 4 * 9, "int32": 6}
    assert tflite.activation_bytes == 4 * 8 * 9 * 4 + 4 * 8 * 9
