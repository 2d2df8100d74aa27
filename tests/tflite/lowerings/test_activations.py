import numpy as np
import pytest

from edgekit.errors import StepError
from edgekit.model.passes.integer_activations import IntegerActivationsPass
from edgekit.model.passes.integer_forms import IntegerFormsPass
from edgekit.model.passes.rewriting import rewrite
from edgekit.model.shapes import with_shapes
from edgekit.tflite.writing import write_model
from tests.tflite.models import (
    check_floats,
    check_integers,
    expected,
    floats,
    integers,
    kinds,
    needs_runtime,
    node,
    samples,
)

pytestmark = needs_runtime


@pytest.mark.parametrize(
    ("kind", "options", "wanted"),
    [
        ("Relu", {}, ["RELU"]),
        ("LeakyRelu", {"alpha": 0.1}, ["LEAKY_RELU"]),
        ("HardSwish", {}, ["HARD_SWISH"]),
        ("Sigmoid", {}, ["LOGISTIC"]),
        ("Tanh", {}, ["TANH"]),
        ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}, ["ADD", "MUL"]),
        ("Softmax", {"axis": -1}, ["TRANSPOSE", "SOFTMAX"]),
        ("Softmax", {"axis": 1}, ["SOFTMAX"]),
    ],
)
def test_functions_of_floats(kind: str, options: dict[str, float], wanted: list[str]) -> None:
    nodes = [node("MaxPool", ["x"], ["p"], kernel_shape=[1, 1]), node(kind, ["p"], ["y"], **options)]
    check_floats(floats([1, 4, 5, 6], nodes), "MAX_POOL_2D", *wanted)


@pytest.mark.parametrize(
    ("kind", "made", "wanted"),
    [
        ("Relu", (0.015, -128), ["RELU"]),
        ("HardSwish", (0.02, -100), ["HARD_SWISH"]),
        ("Sigmoid", (1 / 256, -128), ["LOGISTIC"]),
        ("Sigmoid", (1 / 255, -128), ["LOGISTIC", "QUANTIZE"]),
        ("Sigmoid", (1 / 400, -60), ["DEQUANTIZE", "LOGISTIC", "QUANTIZE"]),
        ("Tanh", (1 / 128, 0), ["TANH"]),
        ("Softmax", (1 / 255, -128), ["SOFTMAX", "QUANTIZE"]),
    ],
)
def test_functions_of_integers(kind: str, made: tuple[float, int], wanted: list[str]) -> None:
    check_integers(integers([1, 12], [node(kind, ["xd"], ["yd"])], made=made), *wanted)


def test_limits() -> None:
    between = {
        "low": np.float32(-0.5),
        "high": np.float32(0.7),
        "top": np.float32(3.4028235e38),
        "nought": np.float32(0),
    }
    clip = node("Clip", ["x", "low", "high"], ["y"])
    check_floats(floats([1, 12], [clip], between), "MAXIMUM", "MINIMUM")
    check_floats(floats([1, 12], [node("Clip", ["x", "nought", "top"], ["y"])], between), "RELU")
    on_integers = node("Clip", ["xd", "low", "high"], ["yd"])
    check_integers(integers([1, 12], [on_integers], between, made=(1.2 / 255, -22)), "QUANTIZE")
    check_integers(integers([1, 12], [on_integers], between), "DEQUANTIZE", "MAXIMUM", "MINIMUM", "QUANTIZE")


def test_limits_and_slopes_that_are_not_written_are_named() -> None:
    with pytest.raises(StepError, match="'it' is HardSigmoid: with alpha"):
        write_model(floats([1, 12], [node("HardSigmoid", ["x"], ["y"], name="it")]))
    nodes = [node("ReduceMax", ["x"], ["m"], keepdims=0), node("Clip", ["x", "", "m"], ["y"], name="it")]
    with pytest.raises(StepError, match="ReduceMax, an operator that edgekit does not write"):
        write_model(floats([1, 12], nodes))


@pytest.mark.parametrize(("kind", "wanted"), [("HardSwish", "HARD_SWISH"), ("Tanh", "TANH")])
def test_what_was_taken_apart_for_onnx_runtime_is_whole_again(kind: str, wanted: str) -> None:
    """As `quantize` leaves them: a HardSwish is a product with a sum that integers cut off, a Tanh a Sigmoid."""
    whole = floats([1, 4, 5, 6], [node(kind, ["x"], ["y"], name="it")])
    forms = rewrite(whole, IntegerFormsPass())
    inside = list(forms.graph.node)
    for each in inside:
        each.input[:] = ["xd" if name == "x" else name for name in each.input]
        each.output[:] = ["yd" if name == "y" else name for name in each.output]
    between: dict[str, np.ndarray] = {}
    if kind == "HardSwish":
        gate = inside[0].output[0]
        between = {"sg": np.float32(1 / 255), "zg": np.int8(-128)}
        inside[1].input[:] = ["gd" if name == gate else name for name in inside[1].input]
        around = [
            node("QuantizeLinear", [gate, "sg", "zg"], ["gq"]),
            node("DequantizeLinear", ["gq", "sg", "zg"], ["gd"]),
        ]
        inside = [inside[0], *around, inside[1]]
    made = (0.02, -100) if kind == "HardSwish" else (1 / 128, 0)
    model = with_shapes(
        rewrite(with_shapes(integers([1, 4, 5, 6], inside, between, made=made)), IntegerActivationsPass())
    )
    assert any(each.op_type == ("Add" if kind == "HardSwish" else "Sigmoid") for each in model.graph.node)
    assert len(expected(model, samples(model))) == 4
    assert kinds(write_model(model)) == ["QUANTIZE", wanted, "DEQUANTIZE"]
    check_integers(model, wanted)
