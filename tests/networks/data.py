"""What the networks learn: which of two words stands in a sentence, the next of a progression, handwritten digits."""

import torch
from model import LENGTH, NUMBERS, SEEN, WORDS
from sklearn.datasets import load_digits
from torch import Tensor
from torch.nn.functional import interpolate
from torch.utils.data import Dataset, TensorDataset


class Sentences(Dataset):
    """Word 2 or word 3 stands somewhere before the padding, which is word 0."""

    def __init__(self, count: int, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        lengths = torch.randint(6, LENGTH + 1, (count, 1), generator=generator)
        self.mask = (torch.arange(LENGTH) < lengths).long()
        self.words = torch.randint(4, WORDS, (count, LENGTH), generator=generator)
        self.labels = torch.arange(count) % 2
        places = (torch.rand(count, 1, generator=generator) * lengths).long()
        self.words.scatter_(1, places, 2 + self.labels[:, None])
        self.words *= self.mask

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[tuple[Tensor, Tensor], Tensor]:
        return (self.words[index], self.mask[index]), self.labels[index]


def progressions(count: int, seed: int) -> TensorDataset:
    generator = torch.Generator().manual_seed(seed)
    first = torch.randint(0, NUMBERS, (count, 1), generator=generator)
    step = torch.randint(1, 3, (count, 1), generator=generator)
    numbers = (first + step * torch.arange(SEEN + 1)) % NUMBERS
    return TensorDataset(numbers[:, :SEEN], numbers[:, SEEN])


def digits(first: int, last: int) -> TensorDataset:
    found = load_digits()
    images = torch.tensor(found.images[first:last], dtype=torch.float32)[:, None] / 16
    return TensorDataset(
        interpolate(images, size=(32, 32), mode="bilinear", align_corners=False), torch.tensor(found.target[first:last])
    )


def sentences_train() -> Dataset:
    return Sentences(1200, 1)


def sentences_calibration() -> Dataset:
    return Sentences(128, 2)


def sentences_evaluation() -> Dataset:
    return Sentences(400, 3)


def progressions_train() -> Dataset:
    return progressions(1500, 1)


def progressions_calibration() -> Dataset:
    return progressions(128, 2)


def progressions_evaluation() -> Dataset:
    return progressions(400, 3)


def digits_train() -> Dataset:
    return digits(0, 900)


def digits_calibration() -> Dataset:
    return digits(900, 1028)


def digits_evaluation() -> Dataset:
    return digits(1028, 1797)
