"""The 1,797 digits that come with scikit-learn, enlarged to 16x16 pixels and split as its own example does: the first
half to train, the second half, which other people wrote, held back."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset

TRAIN = 898


def train() -> DataLoader[tuple[Tensor, Tensor]]:
    """The first half, each batch turned, scaled, sheared and shifted at random."""
    return DataLoader(digits(0, TRAIN), batch_size=64, shuffle=True, collate_fn=augmented)


def calibration() -> Dataset[tuple[Tensor, ...]]:
    """The first half as it is."""
    return digits(0, TRAIN)


def evaluation() -> Dataset[tuple[Tensor, ...]]:
    """The second half."""
    return digits(TRAIN, None)


def digits(start: int, stop: int | None) -> TensorDataset:
    """Images (1, 16, 16) from 0 to 1, twice the stored size, with their labels."""
    stored = load_digits()
    images = torch.tensor(stored.images[start:stop], dtype=torch.float32)[:, None] / 16
    images = F.interpolate(images, scale_factor=2, mode="bilinear", align_corners=False)
    return TensorDataset(images, torch.tensor(stored.target[start:stop]))


def augmented(samples: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """A batch under small random affine maps."""
    images = torch.stack([image for image, _ in samples])
    labels = torch.stack([label for _, label in samples])
    count = len(images)
    angle = 0.5 * (torch.rand(count) - 0.5)
    scale = 1 + 0.3 * (torch.rand(count) - 0.5)
    shear = 0.6 * (torch.rand(count) - 0.5)
    maps = torch.zeros(count, 2, 3)
    maps[:, 0, 0] = maps[:, 1, 1] = torch.cos(angle) * scale
    maps[:, 0, 1] = shear - torch.sin(angle) * scale
    maps[:, 1, 0] = torch.sin(angle) * scale
    maps[:, :, 2] = 0.35 * (torch.rand(count, 2) - 0.5)
    grid = F.affine_grid(maps, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False), labels
