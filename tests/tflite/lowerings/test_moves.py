import numpy as np
import pytest

from edgekit.errors import StepError
from edgekit.tflite.writing import write_model
from tests.tflite.models import check_floats, check_integers, floats, integers, kinds, needs_runtime, node

pytestmark = needs_runtime
POOL = node("MaxPool", ["x"], ["p"], kernel_shape=[1, 1])
"""So that what follows has its channels last."""


def numbers(**told: object) -> dict[str, np.ndarray]:
    return {name: np.array(value) for name, value in told.items()}


@pytest.mark.parametrize("axis", [1, 2, -1])
def test_parts_side_by_side(axis: int) -> None:
    check_floats(
        floats([1, 4, 5, 6], [POOL, node("Concat", ["p", "p"], ["y"], axis=axis)]), "MAX_POOL_2D", "CONCATENATION"
    )
    check_integers(integers([1, 4], [node("Concat", ["xd", "xd"], ["yd"], axis=1)]), "QUANTIZE", "CONCATENATION")
    check_integers(
        integers([1, 4], [node("Concat", ["xd", "xd"], ["yd"], axis=1)], made=(0.03, -5)), "CONCATENATION", steps=0
    )


def test_a_part_that_is_constant() -> None:
    constants = {"c": np.ones((1, 2, 5, 6), np.float32)}
    check_floats(floats([1, 4, 5, 6], [node("Concat", ["x", "c"], ["y"], axis=1)], constants), "CONCATENATION")


@pytest.mark.parametrize(
    ("starts", "ends", "axes", "steps", "wanted"),
    [
        ([1], [3], [1], [1], "SLICE"),
        ([0, 1], [2**62, -1], [2, 3], [1, 1], "SLICE"),
        ([0, 1], [5, 6], [-2, -1], [2, 2], "STRIDED_SLICE"),
        ([-3], [-1], [3], [1], "SLICE"),
    ],
)
def test_a_part(starts: list[int], ends: list[int], axes: list[int], steps: list[int], wanted: str) -> None:
    constants = numbers(s=starts, e=ends, a=axes, t=steps)
    check_floats(
        floats([1, 4, 5, 6], [POOL, node("Slice", ["p", "s", "e", "a", "t"], ["y"])], constants), "MAX_POOL_2D", wanted
    )
    slices = node("Slice", ["xd", "s", "e", "a", "t"], ["yd"])
    check_integers(integers([1, 4, 5, 6], [slices], constants, made=(0.03, -5)), wanted, steps=0)


def test_a_part_backwards_is_named() -> None:
    constants = numbers(s=[-1], e=[-5], a=[1], t=[-1])
    with pytest.raises(StepError, match="'it' is Slice: backwards"):
        write_model(floats([1, 4], [node("Slice", ["x", "s", "e", "a", "t"], ["y"], name="it")], constants))


def test_parts_apart_and_together_again() -> None:
    nodes = [POOL, node("Split", ["p", "n"], ["a", "b"], axis=1), node("Concat", ["b", "a"], ["y"], axis=1)]
    made = floats([1, 4, 5, 6], nodes, numbers(n=[1, 3]))
    check_floats(made, "MAX_POOL_2D", "SLICE", "SLICE", "CONCATENATION")


@pytest.mark.parametrize(
    ("options", "value", "wanted"),
    [({}, 0.0, "PAD"), ({}, 1.5, "PADV2"), ({"mode": "reflect"}, 0.0, "MIRROR_PAD")],
)
def test_around(options: dict[str, str], value: float, wanted: str) -> None:
    constants = numbers(p=[0, 0, 1, 2, 0, 0, 1, 0]) | {"v": np.float32(value)}
    around = node("Pad", ["xd", "p", "v"], ["yd"], **options)
    check_floats(floats([1, 4, 5, 6], [node("Pad", ["x", "p", "v"], ["y"], **options)], constants), wanted)
    check_integers(integers([1, 4, 5, 6], [around], constants, made=(0.03, -5)), wanted, steps=0)


def test_what_integers_do_not_reach_is_filled_into_floats() -> None:
    constants = numbers(p=[0, 1, 0, 1]) | {"v": np.float32(100)}
    made = integers([1, 4], [node("Pad", ["xd", "p", "v"], ["yd"])], constants)
    check_integers(made, "DEQUANTIZE", "PADV2", "QUANTIZE")


def test_shapes() -> None:
    to = numbers(to=[1, 20, 6], a=[0], three=[3])
    check_floats(floats([1, 4, 5, 6], [node("Reshape", ["x", "to"], ["y"])], to), "RESHAPE")
    check_floats(floats([1, 4, 5, 6], [POOL, node("Flatten", ["p"], ["y"])]), "MAX_POOL_2D", "TRANSPOSE", "RESHAPE")
    pooled = [node("GlobalAveragePool", ["x"], ["g"]), node("Squeeze", ["g"], ["y"])]
    check_floats(floats([1, 4, 5, 6], pooled), "MEAN", "RESHAPE")
    check_floats(floats([1, 4, 5], [node("Unsqueeze", ["x", "three"], ["y"])], to), "RESHAPE")


def test_axes_that_change_places_take_no_operator() -> None:
    """As in a model that came from TensorFlow: it takes its channels last."""
    constants = {"w": np.random.default_rng(0).normal(size=(6, 4, 3, 3)).astype(np.float32)}
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
        node("Conv", ["t", "w"], ["c"]),
        node("Transpose", ["c"], ["y"], perm=[0, 2, 3, 1]),
    ]
    made = floats([1, 7, 8, 4], nodes, constants)
    check_floats(made, "CONV_2D")
    assert write_model(made).orders == {}


def test_channels_become_pixels() -> None:
    options = {"blocksize": 2}
    check_floats(floats([1, 8, 3, 4], [node("DepthToSpace", ["x"], ["y"], **options)]), "DEPTH_TO_SPACE")
    with pytest.raises(StepError, match="in mode CRD"):
        write_model(floats([1, 8, 3, 4], [node("DepthToSpace", ["x"], ["y"], mode="CRD", **options)]))


def test_an_output_that_is_an_input_is_a_tensor_of_its_own() -> None:
    made = floats([1, 4], [node("Identity", ["x"], ["y"])])
    check_floats(made, "RESHAPE")
    assert kinds(write_model(made)) == ["RESHAPE"]


def test_computed_lengths_are_named() -> None:
    nodes = [node("Cast", ["x"], ["i"], to=7), node("Slice", ["x", "i", "i"], ["y"], name="it")]
    with pytest.raises(StepError, match=r"Cast, an operator|computed"):
        write_model(floats([1], nodes))
