import numpy as np
import pytest

from edgekit.errors import StepError
from edgekit.tflite.writing import write_model
from tests.tflite.models import check_integers, floats, integers, kinds, needs_runtime, node

pytestmark = needs_runtime


def test_uint8_is_written_as_the_int8_that_stands_for_the_same() -> None:
    made = integers([1, 8], [node("Relu", ["xd"], ["yd"])], made=(0.015, -128), kind=np.uint8)
    check_integers(made, "RELU", steps=0)
    quants = {each.quant for each in write_model(made).graph.tensors if each.quant}
    assert {quant.zero for quant in quants} == {-5, -128}


def test_the_same_scale_twice_is_one_tensor() -> None:
    made = integers([1, 8], [node("Identity", ["xd"], ["yd"])], made=(0.03, -5))
    assert kinds(write_model(made)) == ["QUANTIZE", "DEQUANTIZE"]


def test_integers_that_count_twice_from_here_on() -> None:
    constants = {"s2": np.float32(0.06), "z2": np.int8(-5)}
    again = node("DequantizeLinear", ["xq", "s2", "z2"], ["xt"])
    check_integers(integers([1, 8], [again, node("Relu", ["xt"], ["yd"])], constants, made=(0.03, -128)), "MUL", "RELU")


def test_other_integers_are_named() -> None:
    constants = {"s2": np.float32(0.06), "z2": np.int8(7)}
    again = node("DequantizeLinear", ["xq", "s2", "z2"], ["xt"], name="it")
    with pytest.raises(StepError, match="'it' is DequantizeLinear: with another scale"):
        write_model(integers([1, 8], [again, node("Relu", ["xt"], ["yd"])], constants))
    wide = {"s": np.float32(0.1), "z": np.int16(0)}
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"], name="it"),
        node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    with pytest.raises(StepError, match="'it' is QuantizeLinear: with more than one scale, or to integers"):
        write_model(floats([1, 8], nodes, wide))
