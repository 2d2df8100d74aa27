import numpy as np

from edgekit.data.samples import UNLABELLED, IndexedSource, Sample


class Numbers:
    """Sample n holds n; from the fourth on, twice."""

    def __len__(self) -> int:
        return 6

    def sample(self, number: int) -> Sample:
        return Sample((np.full(2 if number > 2 else 1, float(number)),), np.int64(number))

    def origin(self, number: int) -> str:
        return f"number {number}"


def test_batches_are_of_one_shape() -> None:
    source = IndexedSource(Numbers(), [5, 0, 1, 2, 3], 2)
    batches = list(source.batches(0))
    assert [inputs[0].shape for inputs, _ in batches] == [(1, 2), (2, 1), (1, 1), (1, 2)]
    assert [target.tolist() for _, target in batches] == [[5], [0, 1], [2], [3]]
    assert (source.samples(), source.batches_an_epoch()) == (5, 3)
    assert source.origin(0) == "number 5"


def test_without_targets() -> None:
    class Bare(Numbers):
        def sample(self, number: int) -> Sample:
            return Sample(super().sample(number).inputs, UNLABELLED)

    assert [target for _, target in IndexedSource(Bare(), range(3), 2).batches(0)] == [(), ()]
