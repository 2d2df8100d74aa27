"""A residual network that teaches and a plain one that goes to the device."""

import torch.nn.functional as F
from torch import Tensor, nn

# The smallest width within 0.3 point of the best one, by a sweep over widths and seeds.
TEACHER_WIDTH = 16
STUDENT_WIDTH = 16


def teacher() -> nn.Module:
    """The network that accuracy and size are compared with."""
    return Teacher(TEACHER_WIDTH)


def student() -> nn.Module:
    """The network that is distilled, pruned, quantized and shipped."""
    return Student(STUDENT_WIDTH)


class Teacher(nn.Module):
    """(batch, 1, 16, 16) grey values -> (batch, 10) logits, through two residual stages."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = block(1, width)
        self.first = Residual(width)
        self.down = block(width, 2 * width, stride=2)
        self.second = Residual(2 * width)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(2 * width, 10)

    def forward(self, image: Tensor) -> Tensor:
        features = self.second(self.down(self.first(self.stem(image))))
        return self.head(self.pool(features).flatten(1))


class Student(nn.Module):
    """(batch, 1, 16, 16) grey values -> (batch, 10) logits, through three plain convolutions, the later ones dilated to
    see the whole digit: no branch to add, so that each layer is one integer kernel on the device."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            block(1, width), block(width, 2 * width, dilation=2), block(2 * width, 2 * width, dilation=3)
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(2 * width, 10)

    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.pool(self.features(image)).flatten(1))


class Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = block(channels, channels)
        self.outer = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, features: Tensor) -> Tensor:
        return F.relu(features + self.outer(self.inner(features)))


def block(inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> nn.Module:
    """A 3x3 convolution with batch norm and ReLU."""
    convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=dilation, dilation=dilation, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())
