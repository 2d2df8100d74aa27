from typing import Any

import numpy as np
import pytest

from edgekit.data.model_inputs import Inputs
from edgekit.errors import DataError
from edgekit.model.ports import Port

SPEECH = Inputs((Port("x", "float32", ("?", "?")), Port("state", "float32", (2, "?", 4)), Port("rate", "int64", ())))
IMAGE = Inputs((Port("image", "float32", (1, 3, 4, 4)),))


def image(*shape: int, dtype: str = "float32") -> np.ndarray[Any, Any]:
    return np.zeros(shape, dtype)


@pytest.mark.parametrize(("shape", "count"), [((3, 4, 4), 1), ((1, 3, 4, 4), 1), ((5, 3, 4, 4), 5)])
def test_one_sample_or_several(shape: tuple[int, ...], count: int) -> None:
    assert IMAGE.samples([image(*shape)], "a.npy")[0].shape == (count, 3, 4, 4)


def test_samples_along_the_models_own_axis_or_in_front() -> None:
    rate = np.array(16000)
    for state in (image(5, 2, 4), image(2, 5, 4)):
        x, found, rates = SPEECH.samples([image(5, 9), state, rate], "a.npz")
        assert (x.shape, found.shape, rates.shape) == ((5, 9), (5, 2, 4), (5,))
    x, found, rates = SPEECH.samples({"rate": rate, "x": image(9), "state": image(2, 4)}, "a.npz")
    assert (x.shape, found.shape, rates.shape) == ((1, 9), (1, 2, 4), (1,))


def test_numbers_of_the_same_kind_are_converted() -> None:
    assert IMAGE.samples([image(3, 4, 4, dtype="float64")], "a.npy")[0].dtype == np.float32
    whole = Inputs((Port("ids", "int32", ("batch", 4)),))
    assert whole.samples([np.arange(4)], "a.npy")[0].dtype == np.int32


@pytest.mark.parametrize(
    ("inputs", "given", "fault"),
    [
        (IMAGE, [image(3, 4, 5)], "a.npy holds 3x4x5 for the input 'image', which takes 3x4x4"),
        (IMAGE, [image(2, 5, 3, 4, 4)], "a.npy holds 2x5x3x4x4"),
        (IMAGE, [np.array(1.0)], "a.npy holds a scalar"),
        (IMAGE, [image(3, 4, 4, dtype="uint8")], "a.npy holds uint8 for the input 'image', which takes float32"),
        (IMAGE, [image(3, 4, 4)] * 2, "a.npy gives 2 inputs, but the model takes image"),
        (
            SPEECH,
            [image(3, 9), image(4, 2, 4), np.array(1)],
            "different numbers of samples .*: 'x' 3, 'state' 4",
        ),
        (SPEECH, [image(9), image(2, 4), np.array(0.5)], "holds float64 for the input 'rate', which takes int64"),
        (Inputs((Port("ids", "uint8", ("n",)),)), [np.array([256])], "holds 256 to 256 for the input 'ids'"),
    ],
)
def test_what_does_not_fit_is_named(inputs: Inputs, given: list[Any], fault: str) -> None:
    with pytest.raises(DataError, match=fault) as raised:
        inputs.samples(given, "a.npy")
    assert raised.value.hint


def test_arrays_by_name_and_labels() -> None:
    arrays = {"x": image(9), "state": image(2, 4), "rate": np.array(1), "y": np.array(3)}
    found, labels = SPEECH.match(arrays, "a.npz")
    assert set(found) == {"x", "state", "rate"} and labels is not None and int(labels) == 3
    found, labels = IMAGE.match({"arr_0": image(3, 4, 4)}, "a.npz")
    assert set(found) == {"image"} and labels is None
    # An input that is called as labels often are is an input.
    assert Inputs((Port("y", "float32", ("n", 2)),)).match({"y": image(1, 2)}, "a.npz")[1] is None


def test_an_array_that_is_missing() -> None:
    with pytest.raises(DataError, match=r"a.npz has no array 'state'") as raised:
        SPEECH.match({"x": image(9), "states": image(2, 4), "rate": np.array(1)}, "a.npz")
    assert "states" in raised.value.hint


def test_one_input_alone() -> None:
    assert IMAGE.only("images")[1] == (3, 4, 4)
    with pytest.raises(DataError, match="images feed one input, but the model takes 3: x, state, rate"):
        SPEECH.only("images")
