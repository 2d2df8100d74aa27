import pytest

from edgekit.errors import ModelError
from edgekit.model.ports import Port
from edgekit.model.sizes import Sizes, fill_sizes, lengths, option

TOKENS = Port("tokens", "int64", ("batch", "sequence"))
STATE = Port("state", "float32", (2, "batch", 16))
IMAGE = Port("image", "float32", ("?", 3, "?", "?"))
SCALAR = Port("scale", "float32", ())


def shapes(sizes: Sizes, *ports: Port, batch: int = 1) -> list[tuple[int | str, ...]]:
    return [port.shape for port in fill_sizes(ports, sizes, batch)]


def test_batch_axes_are_told_by_their_name_or_come_first() -> None:
    assert shapes({}, TOKENS, STATE) == [(1, "sequence"), (2, 1, 16)]
    assert shapes({}, Port("x", "float32", ("time", "batch", 4))) == [("time", 1, 4)]
    assert shapes({}, Port("x", "float32", ("n", 4)), Port("h", "float32", (1, "n"))) == [(1, 4), (1, 1)]
    assert shapes({}, IMAGE, batch=2) == [(2, 3, "?", "?")]


def test_axes_are_as_long_as_told() -> None:
    assert shapes({"sequence": [7]}, TOKENS, STATE) == [(1, 7), (2, 1, 16)]
    assert shapes({"sequence": [0], "batch": [3]}, TOKENS, STATE) == [(3, 0), (2, 3, 16)]
    assert shapes({"?": [5]}, IMAGE) == [(5, 3, 5, 5)]


def test_whole_shapes_hold_for_the_axes_of_other_inputs_too() -> None:
    assert shapes({"tokens": [2, 7]}, TOKENS, STATE) == [(2, 7), (2, 2, 16)]
    assert shapes({"image": [1, 3, 48, 320]}, IMAGE, SCALAR) == [(1, 3, 48, 320), ()]


@pytest.mark.parametrize(
    ("sizes", "told", "hint"),
    [
        ({"sequenc": [7]}, "no input and no dynamic axis has the name 'sequenc'", "sequence"),
        ({"state": [1, 1, 16]}, "input 'state' does not take the shape 1,1,16", "2,batch,16"),
        ({"tokens": [7]}, "input 'tokens' does not take the shape 7", "batch,sequence"),
        ({"scale": [1]}, "input 'scale' does not take the shape 1", "scalar"),
        ({"sequence": [1, 7]}, "'sequence' is one axis, but 2 lengths are given", "--shape sequence=1"),
        ({"tokens": [2, 7], "state": [2, 3, 16]}, "the axis 'batch' cannot be 2 and 3", "one length"),
    ],
)
def test_sizes_that_cannot_be_are_reported(sizes: Sizes, told: str, hint: str) -> None:
    with pytest.raises(ModelError) as raised:
        fill_sizes((TOKENS, STATE, SCALAR), sizes)
    assert told in raised.value.message and hint in raised.value.hint


def test_what_is_left_dynamic_is_asked_for() -> None:
    assert lengths(fill_sizes((STATE,), {})[0]) == (2, 1, 16)
    for port, wanted in ((TOKENS, "--shape sequence=128"), (IMAGE, "--shape image=1,3,128,128")):
        (left,) = fill_sizes((port,), {})
        assert option(left) == wanted
        with pytest.raises(ModelError) as raised:
            lengths(left)
        assert wanted in raised.value.hint
