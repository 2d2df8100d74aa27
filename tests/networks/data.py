"""What the networks learn: which of two words stands in a sentence, how a progression goes on, handwritten digits, and
where they have ink."""

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


def numbers(count: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    first = torch.randint(0, NUMBERS, (count, 1), generator=generator)
    step = torch.randint(1, 3, (count, 1), generator=generator)
    return (first + step * torch.arange(SEEN + 1)) % NUMBERS


def progressions(count: int, seed: int) -> TensorDataset:
    found = numbers(count, seed)
    return TensorDataset(found[:, :SEEN], found[:, SEEN])


def steps(count: int, seed: int) -> TensorDataset:
    found = numbers(count, seed)
    return TensorDataset(found[:, :SEEN], found[:, 1:])


def shadows(first: int, last: int) -> TensorDataset:
    """Noisy digits, and where there is ink."""
    images = digits(first, last).tensors[0]
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(first))
    return TensorDataset(images + 0.2 * noise, (images > 0.4).float())


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


def steps_train() -> Dataset:
    return steps(1500, 1)


def steps_calibration() -> Dataset:
    return steps(128, 2)


def steps_evaluation() -> Dataset:
    return steps(400, 3)


def shadows_train() -> Dataset:
    return shadows(0, 400)


def shadows_calibration() -> Dataset:
    return shadows(900, 1028)


def shadows_evaluation() -> Dataset:
    return shadows(1028, 1228)
