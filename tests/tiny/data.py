"""Four kinds of 8x8 images: a bar at the top, at the left, a cross, a frame, under noise."""

import torch
from torch.utils.data import TensorDataset


def images(count: int, seed: int) -> TensorDataset:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 4
    shapes = torch.zeros(4, 8, 8)
    shapes[0, 1:3] = 1
    shapes[1, :, 1:3] = 1
    shapes[2, 3:5] = shapes[2, :, 3:5] = 1
    shapes[3, 0] = shapes[3, -1] = shapes[3, :, 0] = shapes[3, :, -1] = 1
    noise = torch.randn(count, 1, 8, 8, generator=generator)
    return TensorDataset(shapes[labels][:, None] + 0.3 * noise, labels)


def train() -> TensorDataset:
    return images(96, 1)


def calibration() -> TensorDataset:
    return images(32, 2)


def evaluation() -> TensorDataset:
    return images(48, 3)
