from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from edgekit.errors import DataError, EntryPointError
from edgekit.project.project import Project, load_project
from edgekit.training.datasets import Split, joined_targets
from edgekit.traits import Data


def labels(split: Split, epoch: int) -> list[int]:
    return [int(label) for batch in split.batches(epoch) for label in batch.target]


def test_an_epoch_is_the_same_each_time_and_differs_from_the_next(tiny: Project) -> None:
    split = Split(tiny, Data.TRAIN)
    assert labels(split, 0) == labels(split, 0)
    assert labels(split, 0) != labels(split, 1)
    assert split.batches_an_epoch() == 6


def test_only_the_training_split_is_shuffled(tiny: Project) -> None:
    split = Split(tiny, Data.EVALUATION)
    assert labels(split, 0) == labels(split, 1) == [i % 4 for i in range(48)]


@pytest.mark.parametrize("limit", [1, 16, 17, 48, 100])
def test_a_limit_counts_samples(tiny: Project, limit: int) -> None:
    split = Split(tiny, Data.EVALUATION)
    assert sum(len(batch) for batch in split.batches(limit=limit)) == min(limit, 48)
    (inputs,), targets = split.arrays(limit)
    assert inputs.shape == (min(limit, 48), 1, 8, 8) and targets.shape == (min(limit, 48),)


def test_the_content_has_a_digest(tiny: Project, make_project: Callable[..., Path]) -> None:
    other = load_project(make_project(name="other"))
    same = Split(tiny, Data.EVALUATION).content_digest()
    assert Split(other, Data.EVALUATION).content_digest() == same
    assert Split(other, Data.CALIBRATION).content_digest() != same


STREAM = """
import torch
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

class Stream(IterableDataset):
    def __init__(self, count): self.count = count
    def __iter__(self):
        for i in range(self.count):
            yield torch.full((2,), float(i)), torch.tensor(i)

def stream(): return Stream(5)
def nothing(): return Stream(0)
def singles(): return TensorDataset(torch.zeros(4, 2))
def loader(): return DataLoader(Stream(5), batch_size=3)
def numbers():
    class Numbers(torch.utils.data.Dataset):
        def __len__(self): return 2
        def __getitem__(self, i): return "text", i
    return Numbers()
def broken():
    class Broken(torch.utils.data.Dataset):
        def __len__(self): return 4
        def __getitem__(self, i): return 1 / 0
    return Broken()
"""


@pytest.fixture
def entry(make_project: Callable[..., Path]) -> Callable[[str], Split]:
    folder = make_project()
    (folder / "stream.py").write_text(STREAM)
    project = load_project(folder)

    def split(name: str) -> Split:
        data = project.data.model_copy(update={"train": f"stream:{name}"})
        return Split(project.model_copy(update={"data": data}), Data.TRAIN)

    return split


def test_a_stream_and_a_loader_of_ones_own_serve_too(entry: Callable[[str], Split]) -> None:
    assert labels(entry("stream"), 0) == [0, 1, 2, 3, 4]
    assert [len(batch) for batch in entry("loader").batches()] == [3, 2]
    assert entry("stream").batches_an_epoch() is None


@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [
        ("nothing", DataError, "is empty"),
        ("singles", DataError, r"no \(input, target\) pair"),
        ("numbers", DataError, "inputs of type"),
        ("broken", EntryPointError, "raised ZeroDivisionError"),
    ],
)
def test_bad_items_are_told(entry: Callable[[str], Split], name: str, kind: type[Exception], told: str) -> None:
    with pytest.raises(kind, match=told):
        list(entry(name).batches())


def test_targets_may_be_tuples() -> None:
    parts = [(torch.ones(2), torch.zeros(2)), (torch.ones(1), torch.zeros(1))]
    joined = joined_targets(parts)
    assert isinstance(joined, tuple) and [len(each) for each in joined] == [3, 3]
    assert np.array_equal(joined_targets([torch.ones(1), torch.zeros(1)]), [1, 0])
