import torch
from torch.utils.data import DataLoader, TensorDataset

from edgekit.data.torch_source import TorchSource

PAIRS = TensorDataset(torch.arange(10.0)[:, None], torch.arange(10))


def labels(source: TorchSource, seed: int) -> list[int]:
    return [int(label) for _, targets in source.batches(seed) for label in targets]


def test_a_dataset_is_put_into_batches_and_shuffled_where_it_should_be() -> None:
    plain, shuffled = TorchSource(PAIRS, 4, False), TorchSource(PAIRS, 4, True)
    assert labels(plain, 0) == list(range(10))
    assert labels(shuffled, 0) == labels(shuffled, 0) != labels(shuffled, 1)
    assert (plain.samples(), plain.batches_an_epoch()) == (10, 3)


def test_a_loader_makes_its_own_batches() -> None:
    own = TorchSource(DataLoader(PAIRS, 5, shuffle=True, generator=torch.Generator()), 4, True)
    assert labels(own, 0) == labels(own, 0) != labels(own, 1)
    assert (own.samples(), own.batches_an_epoch()) == (10, 2)


def test_gradients_and_nests_are_taken_off() -> None:
    served = TensorDataset(torch.ones(2, 1, requires_grad=True), torch.zeros(2))
    ((inputs, _),) = TorchSource(served, 2, False).batches(0)
    assert inputs.tolist() == [[1.0], [1.0]]
