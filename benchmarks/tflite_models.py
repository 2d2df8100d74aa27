"""The shapes of benchmarks/tflite.py: small networks of common blocks with random weights."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

SIDE = 64
CALIBRATED = 64


def conv(given: int, made: int, kernel: int = 1, stride: int = 1, groups: int = 1, act: type = nn.ReLU) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(given, made, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(made), act()
    )


class Residual(nn.Module):
    """A block of ResNet (arXiv 1512.03385, figure 2)."""

    def __init__(self, given: int, made: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(given, made, 3, stride), conv(made, made, 3, act=nn.Identity))
        self.round = nn.Identity() if given == made else conv(given, made, 1, stride, act=nn.Identity)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.round(x) + self.body(x))


def residual() -> nn.Module:
    stem = [conv(3, 16, 7, 2), nn.MaxPool2d(3, 2, 1)]
    blocks = [Residual(16, 16, 1), Residual(16, 32, 2), Residual(32, 64, 2)]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


class Inverted(nn.Module):
    """A block of MobileNetV2 (arXiv 1801.04381, table 1); with a gate, of MobileNetV3 (arXiv 1905.02244, figure 4)."""

    def __init__(self, given: int, made: int, stride: int, act: type = nn.ReLU6, *, gated: bool = False) -> None:
        super().__init__()
        wide = given * 4
        self.body = nn.Sequential(conv(given, wide, act=act), conv(wide, wide, 3, stride, wide, act=act))
        self.gate = Gate(wide) if gated else nn.Identity()
        self.end = conv(wide, made, act=nn.Identity)
        self.adds = given == made and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        y = self.end(self.gate(self.body(x)))
        return x + y if self.adds else y


class Gate(nn.Module):
    """Squeeze and excitation (arXiv 1709.01507, figure 3)."""

    def __init__(self, wide: int) -> None:
        super().__init__()
        self.ways = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(wide, wide // 4, 1),
            nn.ReLU(),
            nn.Conv2d(wide // 4, wide, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.ways(x)


def separable() -> nn.Module:
    blocks = [Inverted(16, 16, 1), Inverted(16, 24, 2), Inverted(24, 24, 1), Inverted(24, 40, 2)]
    return nn.Sequential(
        conv(3, 16, 3, 2, act=nn.ReLU6), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(40, 10)
    )


def excited() -> nn.Module:
    blocks = [Inverted(16, 16, 1, nn.ReLU, gated=True), Inverted(16, 24, 2, nn.Hardswish, gated=True)]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 10)]
    return nn.Sequential(conv(3, 16, 3, 2, act=nn.Hardswish), *blocks, *head)


class UNet(nn.Module):
    """An encoder, a decoder with both common kinds of upsampling, and skip connections (arXiv 1505.04597, figure 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.deep = conv(3, 16, 3), conv(16, 32, 3), conv(32, 64, 3)
        self.down = nn.MaxPool2d(2)
        self.up = nn.ConvTranspose2d(64, 32, 2, 2)
        self.wider = nn.Upsample(scale_factor=2, mode="bilinear")
        self.across, self.last, self.end = conv(64, 32, 3), conv(48, 16, 3), nn.Conv2d(16, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        one = self.first(x)
        two = self.second(self.down(one))
        y = self.across(torch.cat([self.up(self.deep(self.down(two))), two], 1))
        return self.end(self.last(torch.cat([self.wider(y), one], 1)))


def unet() -> nn.Module:
    return UNet()


SHAPES = {"residual": residual, "separable": separable, "excited": excited, "unet": unet}


def images(count: int, seed: int) -> np.ndarray:
    """Smooth noise, (images, 3, SIDE, SIDE)."""
    rng = np.random.default_rng(seed)
    coarse = torch.from_numpy(rng.normal(size=(count, 3, 8, 8)).astype(np.float32))
    return nn.functional.interpolate(coarse, SIDE, mode="bicubic").numpy()


def settled(name: str) -> tuple[nn.Module, np.ndarray]:
    """A shape with random weights and batch norm statistics from images, and samples for calibration."""
    torch.manual_seed(0)
    module = SHAPES[name]()
    for each in module.modules():
        if isinstance(each, nn.BatchNorm2d):
            each.momentum = None
    samples = images(CALIBRATED, 0)
    with torch.no_grad():
        module.train()(torch.from_numpy(samples[:16]))
    return module.eval(), samples


def left(folder: Path, name: str) -> tuple[Path, Path]:
    """The float model of a shape as an ONNX file, and its samples."""
    module, samples = settled(name)
    path, data = folder / f"{name}.onnx", folder / "samples.npz"
    names = {"input_names": ["image"], "output_names": ["scores"]}
    example = torch.zeros(1, 3, SIDE, SIDE)
    torch.onnx.export(module, (example,), str(path), external_data=False, dynamo=True, **names)
    np.savez(data, image=samples)
    return path, data
