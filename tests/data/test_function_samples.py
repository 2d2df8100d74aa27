from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

from edgekit.data.function_samples import samples_from_arrays
from edgekit.data.samples import UNLABELLED, Samples
from edgekit.errors import DataError, EntryPointError
from tests.data.conftest import image_inputs

INPUTS = image_inputs("batch", 2)
X = np.arange(6, dtype=np.float32).reshape(3, 2)
Y = np.array([1, 0, 1])


def given(value: Any) -> Samples:
    return samples_from_arrays(value, "data:samples", INPUTS)


@pytest.mark.parametrize(
    ("value", "labelled"),
    [
        (X, False),
        ({"image": X}, False),
        ({"image": X, "labels": Y}, True),
        ((X, Y), True),
        ((X, Y.tolist()), True),
        (({"image": X}, Y), True),
        (((X,), Y), True),
        (list(X), False),
        (list(zip(X, Y, strict=True)), True),
        ([{"image": x, "label": y} for x, y in zip(X, Y, strict=True)], True),
        (TensorDataset(torch.from_numpy(X), torch.from_numpy(Y)), True),
    ],
)
def test_arrays_and_items(value: Any, labelled: bool) -> None:
    samples = given(value)
    assert len(samples) == 3
    for number in range(3):
        sample = samples.sample(number)
        assert np.array_equal(sample.inputs[0], X[number])
        assert int(sample.target) == Y[number] if labelled else sample.target is UNLABELLED
    assert "data:samples" in samples.origin(2)


def test_targets_may_be_trees() -> None:
    boxes = {"boxes": np.zeros((3, 4)), "count": Y}
    assert given((X, boxes)).sample(1).target["boxes"].shape == (4,)
    assert given([(x, {"boxes": np.zeros(4)}) for x in X]).sample(1).target["boxes"].shape == (4,)


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ((X, Y, Y), "returned a tuple of 3"),
        (iter(X), "returned a .*iterator"),
        (None, "returned a NoneType"),
    ],
)
def test_what_is_no_source(value: Any, fault: str) -> None:
    with pytest.raises(EntryPointError, match=fault):
        given(value)


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ((X, Y[:2]), "gives 3 samples and 2 labels"),
        ([X, X], "item 0 holds 3 samples"),
        ([None], "gives a NoneType, which is not a numeric array"),
        ([np.zeros(5, np.float32)], "item 0 holds 5 for the input 'image', which takes 2"),
    ],
)
def test_what_does_not_fit(value: Any, fault: str) -> None:
    with pytest.raises(DataError, match=fault):
        given(value).sample(0)
