"""Small networks of kinds that compression got wrong: masked attention, tied matrices, groups, slow batch norms."""

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d

WORDS, LENGTH, WIDTH, HEADS, HIDDEN, LAYERS = 64, 16, 64, 4, 128, 2
NUMBERS, SEEN = 97, 8


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.heads = HEADS
        self.query, self.key, self.value, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.before, self.after = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.hidden = nn.Sequential(nn.Linear(WIDTH, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, WIDTH))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        q, k, v = (
            each(x).unflatten(2, (self.heads, -1)).transpose(1, 2) for each in (self.query, self.key, self.value)
        )
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


class Decoder(nn.Module):
    """PyTorch's own layers, steps first and each looking back only: scores of the next number at every step."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers, self.places = nn.Embedding(NUMBERS, WIDTH), nn.Embedding(SEEN, WIDTH)
        layer = nn.TransformerEncoderLayer(WIDTH, HEADS, HIDDEN, dropout=0.0)
        self.layers = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
        self.register_buffer("ahead", torch.full((SEEN, SEEN), -torch.inf).triu(1), persistent=False)
        self.head = nn.Linear(WIDTH, NUMBERS)

    def forward(self, seen: Tensor) -> Tensor:
        x = (self.numbers(seen) + self.places.weight).transpose(0, 1)
        return self.head(self.layers(x, mask=self.ahead))


class Recurrent(nn.Module):
    """Reads an image row by row, forwards and backwards."""

    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.rows = kind(32, 24, num_layers=2, batch_first=True, bidirectional=True)
        self.head = nn.Sequential(nn.Linear(48, 32), nn.ReLU(), nn.Linear(32, 10))

    def forward(self, image: Tensor) -> Tensor:
        steps, _ = self.rows(image[:, 0])
        return self.head(steps.mean(1))


class ViT(nn.Module):
    """Patches of 8 x 8 and a class token through PyTorch's own layers."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, WIDTH, 8, 8)
        self.token, self.places = nn.Parameter(torch.zeros(1, 1, WIDTH)), nn.Parameter(0.02 * torch.randn(1, 17, WIDTH))
        layer = nn.TransformerEncoderLayer(
            WIDTH, HEADS, HIDDEN, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, LAYERS, nn.LayerNorm(WIDTH), enable_nested_tensor=False)
        self.head = nn.Linear(WIDTH, 10)

    def forward(self, image: Tensor) -> Tensor:
        x = self.patches(image).flatten(2).transpose(1, 2)
        x = torch.cat((self.token.expand(len(x), -1, -1), x), 1) + self.places
        return self.head(self.layers(x)[:, 0])


class UNet(nn.Module):
    """Down to a quarter and up again, by a transposed convolution and by interpolation; each scale joins its like."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList((convolution(1, 8), convolution(8, 16), convolution(16, 32)))
        self.wider = nn.ConvTranspose2d(32, 16, 2, 2)
        self.up = nn.ModuleList((convolution(32, 16), convolution(24, 8)))
        self.head = nn.Conv2d(8, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        whole = self.down[0](image)
        half = self.down[1](max_pool2d(whole, 2))
        quarter = self.down[2](max_pool2d(half, 2))
        x = self.up[0](torch.cat((self.wider(quarter), half), 1))
        x = interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        return self.head(self.up[1](torch.cat((x, whole), 1)))


def masked_bert() -> nn.Module:
    return MaskedBert()


def tied() -> nn.Module:
    return Tied()


def grouped() -> nn.Module:
    return Grouped()


def mobilenet_v3() -> nn.Module:
    return MobileNetV3()


def decoder() -> nn.Module:
    return Decoder()


def lstm() -> nn.Module:
    return Recurrent(nn.LSTM)


def gru() -> nn.Module:
    return Recurrent(nn.GRU)


def vit() -> nn.Module:
    return ViT()


def unet() -> nn.Module:
    return UNet()
