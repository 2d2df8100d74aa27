import numpy as np
import pytest

from edgekit.errors import StepError
from edgekit.tflite.writing import write_model
from tests.tflite.models import apart, check_floats, check_integers, floats, integers, kinds, needs_runtime, node

pytestmark = needs_runtime


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"kernel_shape": [2, 2], "strides": [2, 2]}, ["MAX_POOL_2D"]),
        ({"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}, ["PADV2", "MAX_POOL_2D"]),
        ({"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}, ["MAX_POOL_2D"]),
        ({"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}, ["MAX_POOL_2D"]),
    ],
)
def test_the_largest_of_each_window(options: dict[str, object], wanted: list[str]) -> None:
    check_floats(floats([1, 4, 8, 6], [node("MaxPool", ["x"], ["y"], **options)]), *wanted)
    check_integers(
        integers([1, 4, 8, 6], [node("MaxPool", ["xd"], ["yd"], **options)], made=(0.03, -5)), *wanted, steps=0
    )


def test_where_integers_are_read_by_another_scale_they_are_brought_to_it() -> None:
    check_integers(
        integers([1, 4, 8, 6], [node("MaxPool", ["xd"], ["yd"], kernel_shape=[2, 2])]), "MAX_POOL_2D", "QUANTIZE"
    )


@pytest.mark.parametrize(
    ("options", "floating", "on_integers"),
    [
        ({"kernel_shape": [2, 2], "strides": [2, 2]}, ["AVERAGE_POOL_2D"], ["DEPTHWISE_CONV_2D"]),
        (
            {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "count_include_pad": 1},
            ["PAD", "AVERAGE_POOL_2D"],
            ["PAD", "DEPTHWISE_CONV_2D"],
        ),
        ({"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}, ["AVERAGE_POOL_2D"], ["AVERAGE_POOL_2D", "QUANTIZE"]),
    ],
)
def test_the_average_of_each_window(options: dict[str, object], floating: list[str], on_integers: list[str]) -> None:
    check_floats(floats([1, 4, 8, 8], [node("AveragePool", ["x"], ["y"], **options)]), *floating)
    check_integers(integers([1, 4, 8, 8], [node("AveragePool", ["xd"], ["yd"], **options)]), *on_integers)


def test_padding_that_does_not_count_and_is_not_tflites_is_named() -> None:
    pool = node("AveragePool", ["x"], ["y"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], name="it")
    with pytest.raises(StepError, match="'it' is AveragePool: with excluded padding"):
        write_model(floats([1, 4, 8, 8], [pool]))


@pytest.mark.parametrize("size", [4, 8])
def test_a_mean_over_an_image_of_integers_is_not_off_all_over(size: int) -> None:
    """MEAN of int8 is, by half a step, for these zero points."""
    model = integers([1, 16, size, size], [node("GlobalAveragePool", ["xd"], ["yd"])], made=(0.0041, -11))
    check_integers(model, "RESHAPE", "CONV_2D", "RESHAPE")
    assert all(each <= 1.01 for each in apart(model).values())


def test_means_over_axes() -> None:
    axes = {"axes": np.array([2, 3])}
    check_floats(
        floats([1, 4, 5, 6], [node("ReduceMean", ["x", "axes"], ["y"], keepdims=0)], axes), "TRANSPOSE", "MEAN"
    )
    check_floats(floats([1, 4, 5, 6], [node("GlobalAveragePool", ["x"], ["y"])]), "MEAN")
    last = {"axes": np.array([-1])}
    check_floats(floats([1, 5, 6], [node("ReduceMean", ["x", "axes"], ["y"])], last), "MEAN")


def test_the_largest_of_a_whole_image() -> None:
    check_floats(floats([1, 4, 5, 6], [node("GlobalMaxPool", ["x"], ["y"])]), "MAX_POOL_2D")


def test_pooling_over_a_sequence() -> None:
    made = floats([1, 4, 9], [node("MaxPool", ["x"], ["y"], kernel_shape=[2], strides=[2])])
    check_floats(made, "RESHAPE", "MAX_POOL_2D", "RESHAPE")
    assert kinds(write_model(made)).count("TRANSPOSE") == 0


def test_a_size_that_is_rounded_up_with_padding_that_counts_is_named() -> None:
    options = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1, "count_include_pad": 1}
    with pytest.raises(StepError, match="ceil_mode"):
        write_model(floats([1, 4, 8, 8], [node("AveragePool", ["x"], ["y"], **options)]))


def test_places_and_dilations_are_named() -> None:
    with pytest.raises(StepError, match="with dilations"):
        write_model(floats([1, 4, 8, 8], [node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], dilations=[2, 2])]))
