"""Small networks of kinds that compression got wrong: masked attention, tied matrices, groups, slow batch norms."""

import torch
from torch import Tensor, nn

WORDS, LENGTH, WIDTH, HEADS, HIDDEN, LAYERS = 64, 16, 64, 4, 128, 2
NUMBERS, SEEN = 97, 8


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.before, self.after = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.hidden = nn.Sequential(nn.Linear(WIDTH, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, WIDTH))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        q, k, v = (each(x).unflatten(2, (HEADS, -1)).transpose(1, 2) for each in (self.query, self.key, self.value))
        scores = q @ k.transpose(2, 3) * (WIDTH // HEADS) ** -0.5 + mask
        mixed = (scores.softmax(3) @ v).transpose(1, 2).flatten(2)
        x = self.before(x + self.out(mixed))
        return self.after(x + self.hidden(x))


class MaskedBert(nn.Module):
    """An additive mask of the smallest float keeps what is padding out of every softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(WORDS, WIDTH), nn.Embedding(LENGTH, WIDTH)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.head = nn.Linear(WIDTH, 2)

    def forward(self, words: Tensor, mask: Tensor) -> Tensor:
        x = self.words(words) + self.places.weight
        added = (1.0 - mask.float())[:, None, None, :] * torch.finfo(torch.float32).min
        for layer in self.layers:
            x = layer(x, added)
        return self.head(x[:, 0])


class Tied(nn.Module):
    """The next number of a progression; what looks numbers up is also what the last layer multiplies by."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = nn.Embedding(NUMBERS, 48)
        self.mixed = nn.Sequential(
            nn.Flatten(), nn.Linear(48 * SEEN, 192), nn.ReLU(), nn.Linear(192, 192), nn.ReLU(), nn.Linear(192, 48)
        )
        self.head = nn.Linear(48, NUMBERS, bias=False)
        self.head.weight = self.numbers.weight

    def forward(self, seen: Tensor) -> Tensor:
        return self.head(self.mixed(self.numbers(seen)))


def convolution(before: int, after: int, stride: int = 1, groups: int = 1, size: int = 3) -> nn.Sequential:
    layer = nn.Conv2d(before, after, size, stride, size // 2, groups=groups, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(after), nn.ReLU())


class Block(nn.Module):
    """As in ResNeXt: narrow, in groups, wide again, around it a shortcut."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            convolution(width, width, size=1),
            convolution(width, width, groups=groups),
            convolution(width, width, size=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return (x + self.inner(x)).relu()


class Grouped(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            convolution(1, 32, stride=2), Block(32, 4), convolution(32, 64, stride=2), Block(64, 8)
        )
        self.head = nn.Linear(64, 10)

    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.body(image).mean((2, 3)))


class Squeezed(nn.Module):
    """As in MobileNetV3: wider, depthwise, squeeze and excite, narrow; batch norms that move by a hundredth a batch."""

    def __init__(self, before: int, wide: int, after: int, stride: int) -> None:
        super().__init__()
        self.wide = nn.Sequential(nn.Conv2d(before, wide, 1, bias=False), nn.BatchNorm2d(wide, momentum=0.01))
        self.deep = nn.Sequential(
            nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False), nn.BatchNorm2d(wide, momentum=0.01)
        )
        self.squeeze = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(wide, 8, 1), nn.ReLU(), nn.Conv2d(8, wide, 1), nn.Hardsigmoid()
        )
        self.narrow = nn.Sequential(nn.Conv2d(wide, after, 1, bias=False), nn.BatchNorm2d(after, momentum=0.01))
        self.act = nn.Hardswish()
        self.same = before == after and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        y = self.act(self.deep(self.act(self.wide(x))))
        y = self.narrow(y * self.squeeze(y))
        return x + y if self.same else y


class MobileNetV3(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16, momentum=0.01), nn.Hardswish()
        )
        self.body = nn.Sequential(Squeezed(16, 32, 16, 1), Squeezed(16, 48, 24, 2), Squeezed(24, 64, 24, 1))
        self.head = nn.Sequential(nn.Linear(24, 64), nn.Hardswish(), nn.Linear(64, 10))

    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.body(self.stem(image)).mean((2, 3)))


def masked_bert() -> nn.Module:
    return MaskedBert()


def tied() -> nn.Module:
    return Tied()


def grouped() -> nn.Module:
    return Grouped()


def mobilenet_v3() -> nn.Module:
    return MobileNetV3()
