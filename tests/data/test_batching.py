import numpy as np
import pytest

from edgekit.arrays import Array, Outputs
from edgekit.data.batching import batch_axes, join_outputs
from edgekit.errors import DataError

X = (np.arange(20, dtype=np.float32).reshape(5, 4),)


NAMES = ("steps", "last", "rows", "fixed", "same")


def turned(inputs: tuple[Array, ...]) -> Outputs[Array]:
    """As a recurrent network: steps first; its last state, layers first; rows of all samples; what hangs on none."""
    (x,) = inputs
    return Outputs((x.T[:, :, None], np.stack([x, -x]), x.reshape(-1, 1), np.ones((2, 3)), x), NAMES)


def part(array: Array) -> Outputs[Array]:
    return Outputs([array], ["o"])


def test_the_axis_of_the_samples_is_the_one_that_grows_with_them() -> None:
    assert batch_axes(turned, X) == (1, 1, 0, None, 0)


def test_where_the_number_is_fixed_it_is_the_first_axis_of_that_length() -> None:
    assert batch_axes(turned, X, fixed=5) == (1, 1, None, None, 0)


def test_batches_are_joined_along_their_own_axes() -> None:
    parts = [turned((X[0][:3],)), turned((X[0][3:],))]
    whole = join_outputs(parts, batch_axes(turned, X))
    assert all(np.array_equal(*pair) for pair in zip(whole, turned(X), strict=True))


def test_what_is_no_samples_own_is_kept_once_or_stacked() -> None:
    assert join_outputs([part(np.ones(2)), part(np.ones(2))], (None,))[0].shape == (2,)
    assert join_outputs([part(np.ones(2)), part(np.zeros(2))], (None,))[0].shape == (2, 2)
    assert join_outputs([part(np.array(["a"])), part(np.array(["a"]))], (None,))[0].tolist() == ["a"]


def test_lengths_that_hang_on_the_data_are_refused() -> None:
    with pytest.raises(DataError, match="the output 'o' has different shapes in different batches"):
        join_outputs([part(np.ones((2, 3))), part(np.ones((2, 1)))], (0,))
    with pytest.raises(DataError, match="the output 'o'"):
        join_outputs([part(np.ones(3)), part(np.ones(1))], (None,))
