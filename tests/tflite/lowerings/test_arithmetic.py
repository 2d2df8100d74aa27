import numpy as np
import pytest

from edgekit.errors import StepError
from edgekit.tflite.writing import write_model
from tests.tflite.models import check_floats, check_integers, floats, integers, needs_runtime, node

pytestmark = needs_runtime
RNG = np.random.default_rng(5)


@pytest.mark.parametrize(("kind", "wanted"), [("Add", "ADD"), ("Sub", "SUB"), ("Mul", "MUL"), ("Div", "DIV")])
def test_two_tensors(kind: str, wanted: str) -> None:
    constants = {"c": RNG.normal(size=(1, 4, 1, 1)).astype(np.float32)}
    check_floats(floats([1, 4, 5, 6], [node(kind, ["x", "c"], ["y"])], constants), wanted)
    check_floats(floats([1, 4, 5, 6], [node("Relu", ["x"], ["r"]), node("Add", ["x", "r"], ["y"])]), "RELU", "ADD")


@pytest.mark.parametrize("kind", ["Add", "Sub", "Mul"])
def test_integers_of_different_scales(kind: str) -> None:
    constants = {
        "c": RNG.integers(-100, 100, (4, 5, 6)).astype(np.int8),
        "sc": np.float32(0.021),
        "zc": np.int8(3),
    }
    nodes = [node("DequantizeLinear", ["c", "sc", "zc"], ["cd"]), node(kind, ["xd", "cd"], ["yd"])]
    check_integers(integers([1, 4, 5, 6], nodes, constants), kind.upper())


def test_what_tflite_divides_only_as_floats_is_divided_so() -> None:
    constants = {"c": np.int8(100), "sc": np.float32(0.03), "zc": np.int8(0)}
    nodes = [node("DequantizeLinear", ["c", "sc", "zc"], ["cd"]), node("Div", ["xd", "cd"], ["yd"])]
    check_integers(integers([1, 4, 5, 6], nodes, constants), "DEQUANTIZE", "DIV", "QUANTIZE")


def test_a_lower_rank_and_a_constant_in_front() -> None:
    constants = {"c": RNG.normal(size=6).astype(np.float32)}
    check_floats(floats([1, 4, 5, 6], [node("Sub", ["c", "x"], ["y"])], constants), "SUB")


def test_a_gate_over_channels_lies_as_the_image_does() -> None:
    nodes = [node("GlobalAveragePool", ["x"], ["g"]), node("Sigmoid", ["g"], ["s"]), node("Mul", ["x", "s"], ["y"])]
    check_floats(floats([1, 4, 5, 6], nodes), "MEAN", "LOGISTIC", "MUL")


def test_a_batch_norm_that_no_convolution_takes_in() -> None:
    constants = {name: (1 + RNG.random(4)).astype(np.float32) for name in ("g", "b", "m", "v")}
    check_floats(
        floats([1, 4, 5, 6], [node("BatchNormalization", ["x", "g", "b", "m", "v"], ["y"])], constants), "MUL", "ADD"
    )


def test_three_tensors_are_named() -> None:
    with pytest.raises(StepError, match=r"'it' is Sum"):
        write_model(floats([1, 4], [node("Sum", ["x", "x", "x"], ["y"], name="it")]))
