import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from edgekit.data.split import SampleBatch, Split
from edgekit.data.trees import leaves
from edgekit.errors import DataError, EntryPointError
from edgekit.project.project import Project, load_project
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
    (inputs,), targets, _ = split.alike(limit)
    assert inputs.shape == (min(limit, 48), 1, 8, 8) and targets.shape == (min(limit, 48),)


def test_the_content_has_a_digest(tiny: Project, make_project: Callable[..., Path]) -> None:
    other = load_project(make_project(name="other"))
    same = Split(tiny, Data.EVALUATION).digest()
    assert Split(other, Data.EVALUATION).digest() == same
    assert Split(other, Data.CALIBRATION).digest() != same


def test_batches_are_numpy(tiny: Project) -> None:
    split = Split(tiny, Data.EVALUATION)
    batch = split.example()
    assert isinstance(batch.inputs[0], np.ndarray) and isinstance(batch.target, np.ndarray)
    assert (split.length, split.seed, len(batch)) == (48, 0, 1)


STREAM = """
import random
import numpy as np
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
def listed(): return [(torch.full((2,), float(i)), {"number": torch.tensor(i), "both": (i, 2.0 * i)}) for i in range(5)]
def loader(): return DataLoader(Stream(5), batch_size=3)
def shuffled(): return DataLoader(TensorDataset(torch.arange(12.0)[:, None], torch.arange(12)), 5, shuffle=True)

class Drawn(torch.utils.data.Dataset):
    def __init__(self, draw): self.draw = draw
    def __len__(self): return 8
    def __getitem__(self, i): return torch.full((2,), float(self.draw())), torch.tensor(i)
def by_python(): return Drawn(random.random)
def by_numpy(): return Drawn(np.random.standard_normal)
def by_torch(): return Drawn(lambda: torch.rand(()))
def by_opening():
    number = torch.rand(())
    return Drawn(lambda: number)
def by_itself(): return Drawn(np.random.default_rng().random)

class Once(IterableDataset):
    def __init__(self, items): self.items = items
    def __iter__(self): return self.items
def once(): return Once(iter([(torch.zeros(2), torch.tensor(i)) for i in range(5)]))

class Changing(IterableDataset):
    counts = [6, 4]
    def __init__(self, more): self.counts = [4, 6] if more else [6, 4]
    def __iter__(self): return iter([(torch.zeros(2), torch.tensor(i)) for i in range(self.counts.pop(0))])
def fewer(): return DataLoader(Changing(False), batch_size=2)
def more(): return DataLoader(Changing(True), batch_size=2)
def dropping(): return DataLoader(TensorDataset(torch.zeros(7, 2), torch.arange(7)), batch_size=3, drop_last=True)
def halves(): return TensorDataset(torch.zeros(4, 2, dtype=torch.bfloat16), torch.arange(4))
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
        data = project.data.copy_with(train=f"stream:{name}")
        return Split(project.copy_with(data=data), Data.TRAIN)

    return split


def test_a_stream_and_a_loader_of_ones_own_serve_too(entry: Callable[[str], Split]) -> None:
    assert labels(entry("stream"), 0) == [0, 1, 2, 3, 4]
    assert [len(batch) for batch in entry("loader").batches()] == [3, 2]
    assert entry("stream").batches_an_epoch() is None


@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [
        ("nothing", DataError, "is empty"),
        ("singles", DataError, r"not \(input, target\) pairs"),
        ("numbers", DataError, "inputs of type"),
        ("halves", DataError, "tensors of type bfloat16"),
        ("broken", EntryPointError, "raised ZeroDivisionError"),
    ],
)
def test_bad_items_are_reported(entry: Callable[[str], Split], name: str, kind: type[Exception], told: str) -> None:
    with pytest.raises(kind, match=told):
        list(entry(name).batches())


@pytest.mark.parametrize("name", ["shuffled", "by_python", "by_numpy", "by_torch", "by_opening"])
def test_every_reading_is_reseeded_and_equal(entry: Callable[[str], Split], name: str) -> None:
    def read(split: Split, epoch: int, between: int) -> list[float]:
        found = []
        for batch in split.batches(epoch):
            found += [float(each) for array in (*batch.inputs, batch.target) for each in np.ravel(array)]
            for _ in range(between):
                torch.rand(3), np.random.rand(3), random.random()
        return found

    split = entry(name)
    first = read(split, 0, 0)
    assert read(split, 0, 2) == first, "whatever else is drawn meanwhile"
    assert read(entry(name), 0, 1) == first, "and by another opening"
    assert read(split, 1, 0) != first


def test_a_reading_leaves_the_generators_of_others_alone(entry: Callable[[str], Split]) -> None:
    torch.manual_seed(5)
    expected = torch.rand(4).tolist()
    torch.manual_seed(5)
    found = [torch.rand(()).item() for _, _ in zip(range(4), entry("by_torch").batches(), strict=False)]
    split = entry("stream")
    assert found + [torch.rand(()).item() for _ in range(4 - len(found))] == expected
    assert split.length is None and sum(len(batch) for batch in split.batches()) == split.length == 5


def test_a_length_is_what_is_served(entry: Callable[[str], Split]) -> None:
    split = entry("dropping")
    assert split.length == 7
    assert sum(len(batch) for batch in split.batches()) == split.length == 6


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("once", "can be read only once: it was empty in the second reading"),
        ("by_itself", "gave other samples than in its first reading"),
        ("fewer", "gave 4 samples, but 6 in its first reading"),
        ("more", "gave more samples than in its first reading"),
    ],
)
def test_a_source_that_differs_on_a_second_reading_is_reported(
    entry: Callable[[str], Split], name: str, told: str
) -> None:
    split = entry(name)
    assert list(split.batches())
    with pytest.raises(DataError, match=told) as raised:
        list(split.batches())
    assert raised.value.hint


def test_a_stream_that_ends_is_told_in_the_second_epoch_too(entry: Callable[[str], Split]) -> None:
    split = entry("once")
    assert list(split.batches(0))
    with pytest.raises(DataError, match="only once"):
        list(split.batches(1))


def test_targets_may_be_nested() -> None:
    head = SampleBatch((np.ones((3, 2)),), {"kind": np.arange(3), "place": (np.zeros(3), np.ones((3, 4)))}).head(2)
    assert len(head) == 2 and [len(each) for each in leaves(head.target)] == [2, 2, 2]


def test_a_list_of_samples_serves_and_targets_keep_their_make(entry: Callable[[str], Split]) -> None:
    split = entry("listed")
    assert split.length == 5
    _, targets, _ = split.alike()
    assert sorted(targets["number"]) == [0, 1, 2, 3, 4]
    assert np.array_equal(targets["both"][1], 2 * targets["number"])
