import numpy as np
import pytest

from edgekit.errors import ModelError
from edgekit.model.feeding import Feeding, feeding_of, sample_shape
from edgekit.model.ports import Port

FLOAT = "float32"


def feeding(*shapes: tuple[int | str, ...]) -> Feeding:
    return feeding_of([Port(f"i{number}", FLOAT, shape) for number, shape in enumerate(shapes)])


@pytest.mark.parametrize(
    ("shapes", "axes", "size"),
    [
        ([("batch", 3, 8)], (0,), 0),
        ([("n", "steps"), ("n", "steps")], (0, 0), 0),
        ([("steps", "batch", 4), ("batch",)], (1, 0), 0),
        # Time-major sequences: the axis that all inputs share.
        ([("L", "N", 4), (2, "N", 8)], (1, 1), 0),
        ([("L", "N", 4), ("N",)], (1, 0), 0),
        ([("L", "N", "T"), (2, "N", "T")], (1, 1), 0),
        ([("L", "N", 4), (2, "N", 8), ()], (1, 1, None), 1),
        ([("L", "N", 4), (1, "N", 8)], (1, 1), 0),
        # Images with named sides.
        ([("?", 3, "height", "width")], (0,), 0),
        ([("?", "width")], (0,), 0),
        ([("N", 3, "H", "W"), ("N", 1, "H", "W")], (0, 0), 0),
        ([("N", 3, "H", "W"), (1, 3, "H", "W")], (0, 0), 1),
        ([("?", 3, "H", "W"), ("?", 1, "H", "W")], (0, 0), 0),
        ([("N", 3, "H", "W"), ("M", 3, "H", "W")], (0, 0), 0),
        ([("N", "L"), ("M", "L")], (0, 0), 0),
        ([(1, 3, 8, 8)], (0,), 1),
        ([(4, 3, 8, 8), (4, 2)], (0, 0), 4),
        ([("?", 3, "?", "?")], (0,), 0),
        # Speech: samples, the states of two layers, the rate.
        ([("?", "?"), (2, "?", 128), ()], (0, 1, None), 1),
        ([(1, 576), (2, 1, 128), ()], (0, 1, None), 1),
        ([("batch", 5), (1, 5)], (0, 0), 1),
        ([("batch", 5), (7, 5)], (0, None), 1),
        ([("sequence", 5), ("batch", 5)], (None, 0), 1),
        ([(), ()], (None, None), 1),
        # Frames of one recording, and the state of one layer.
        ([("sequence_length", 576), (1, 1, 128)], (None, 0), 1),
        ([("frames", 80)], (None,), 1),
    ],
)
def test_the_axes_of_the_samples(shapes: list[tuple[int | str, ...]], axes: tuple[int | None, ...], size: int) -> None:
    assert feeding(*shapes) == Feeding(axes, size)


def test_a_feed_has_the_samples_where_the_model_wants_them() -> None:
    x, state, rate = np.ones((1, 576)), np.ones((1, 2, 128)), np.array([16000])
    fed = feeding((1, 576), (2, 1, 128), ()).feed((x, state, rate))
    assert [each.shape for each in fed] == [(1, 576), (2, 1, 128), ()]
    assert feeding(("steps", "batch", 4)).feed((np.ones((5, 3, 4)),))[0].shape == (3, 5, 4)


def test_a_run_that_the_samples_do_not_fill_is_filled_up() -> None:
    x = np.arange(10.0).reshape(5, 2)
    feeds = list(feeding((4, 2)).feeds((x,)))
    assert [count for _, count in feeds] == [4, 1]
    assert np.array_equal(feeds[1][0][0], np.repeat(x[4:], 4, axis=0))


@pytest.mark.parametrize(("size", "runs"), [(0, 1), (1, 5), (2, 3)])
def test_where_the_file_fixes_nothing_the_caller_says_how_many(size: int, runs: int) -> None:
    feeds = list(feeding(("batch", 2)).feeds((np.ones((5, 2)),), size))
    assert len(feeds) == runs and sum(count for _, count in feeds) == 5


def test_the_shape_of_one_sample() -> None:
    assert sample_shape(Port("x", FLOAT, ("steps", "batch", 4)), 1) == ("steps", 4)
    assert sample_shape(Port("x", FLOAT, ()), None) == ()


def test_more_inputs_than_the_model_has() -> None:
    with pytest.raises(ModelError, match="the model takes 1 inputs, but the data has 2"):
        feeding(("batch", 2)).feed((np.ones(1), np.ones(1)))
