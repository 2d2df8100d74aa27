"""Two residual networks of the same design: a wide one that teaches and a narrow one that goes to the device."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# The smallest width within 0.3 point of the best one: `python sweep.py` prints the table in README.md.
TEACHER_WIDTH = 24
STUDENT_WIDTH = 16


def teacher() -> nn.Module:
    """The network that the accuracy and the size are compared with."""
    return Digits(TEACHER_WIDTH)


def student() -> nn.Module:
    """The network that is distilled, pruned, quantized and shipped."""
    return Digits(STUDENT_WIDTH)


class Digits(nn.Module):
    """(batch, 1, 8, 8) grey values -> (batch, 10) logits."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = block(1, width)
        self.first = Residual(width)
        self.down = block(width, 2 * width, stride=2)
        self.second = Residual(2 * width)
        self.head = nn.Linear(2 * width, 10)

    def forward(self, image: Tensor) -> Tensor:
        features = self.second(self.down(self.first(self.stem(image))))
        return self.head(torch.mean(features, dim=(2, 3)))


class Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = block(channels, channels)
        self.outer = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, features: Tensor) -> Tensor:
        return F.relu(features + self.outer(self.inner(features)))


def block(inputs: int, outputs: int, stride: int = 1) -> nn.Module:
    """A 3x3 convolution with batch norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )
