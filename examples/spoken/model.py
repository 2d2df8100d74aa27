"""A residual network over log-mel pictures that teaches, and a plain one that goes to the device."""

import torch.nn.functional as F
from torch import Tensor, nn

TEACHER_WIDTH = 24
STUDENT_WIDTH = 24


def teacher() -> nn.Module:
    """The network that accuracy and size are compared with."""
    return Teacher(TEACHER_WIDTH)


def student() -> nn.Module:
    """The network that is distilled, pruned, quantized and shipped."""
    return Student(STUDENT_WIDTH)


class Teacher(nn.Module):
    """(batch, 1, 32, 32) log-mel energies -> (batch, 10) logits, through two residual stages."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = block(1, width, stride=2)
        self.first = Residual(width)
        self.down = block(width, 2 * width, stride=2)
        self.second = Residual(2 * width)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(2 * width, 10)

    def forward(self, sound: Tensor) -> Tensor:
        features = self.second(self.down(self.first(self.stem(sound))))
        return self.head(self.pool(features).flatten(1))


class Student(nn.Module):
    """(batch, 1, 32, 32) log-mel energies -> (batch, 10) logits, through three plain convolutions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            block(1, width, stride=2), block(width, 2 * width, stride=2), block(2 * width, 2 * width)
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(2 * width, 10)

    def forward(self, sound: Tensor) -> Tensor:
        return self.head(self.pool(self.features(sound)).flatten(1))


class Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = block(channels, channels)
        self.outer = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, features: Tensor) -> Tensor:
        return F.relu(features + self.outer(self.inner(features)))


def block(inputs: int, outputs: int, stride: int = 1) -> nn.Module:
    """A 3x3 convolution with batch norm and ReLU."""
    convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())
