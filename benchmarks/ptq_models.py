"""The models of benchmarks/ptq.py: files, samples, and the module for tools that take modules."""

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

CALIBRATED, JUDGED = 128, 128
SIDE, PATCH = 224, 56
LENGTH = 128
_PROGRAM = "float.pt2"
"""The exported module of an example, for environments that have torch but neither edgekit nor the example."""
TRAINED = "antiberty==0.1.3"
"""A BERT of 8 layers, hidden 512, over amino acids, with its trained weights in the wheel (MIT)."""
CHAIN = (
    "EVQLVESGGGLVQPGGSLRLSCAASGFNIKDTYIHWVRQAPGKGLEWVARIYPTNGYTRY"
    "ADSVKGRFTISADTSKNTAYLQMNSLRAEDTAVYYCSRWGGDGFYAMDYWGQGTLVTVSS"
)
"""The heavy chain's variable domain of trastuzumab (PDB 1N8Z), of which the samples are mutants."""


def conv(given: int, made: int, kernel: int = 1, stride: int = 1, groups: int = 1, act: type = nn.ReLU6) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(given, made, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(made), act()
    )


class Inverted(nn.Module):
    """Expand, convolve by channel, project: a block of MobileNetV2 (arXiv 1801.04381, table 1)."""

    def __init__(self, given: int, made: int, stride: int, factor: int) -> None:
        super().__init__()
        wide = given * factor
        first = [conv(given, wide)] if factor > 1 else []
        self.body = nn.Sequential(*first, conv(wide, wide, 3, stride, wide), conv(wide, made, act=nn.Identity))
        self.adds = given == made and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x) if self.adds else self.body(x)


def mobilenet_v2() -> nn.Module:
    layers, wide = [conv(3, 32, 3, 2)], 32
    for factor, made, count, stride in (
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
    ):  # fmt: skip
        for number in range(count):
            layers.append(Inverted(wide, made, stride if number == 0 else 1, factor))
            wide = made
    head = [conv(wide, 1280), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 1000)]
    return _drawn(nn.Sequential(*layers, *head))


class Residual(nn.Module):
    """Two convolutions and the skip connection: a block of ResNet-18 (arXiv 1512.03385, table 1)."""

    def __init__(self, given: int, made: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(given, made, 3, stride, act=nn.ReLU), conv(made, made, 3, act=nn.Identity))
        same = stride == 1 and given == made
        self.round = nn.Identity() if same else conv(given, made, 1, stride, act=nn.Identity)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.round(x) + self.body(x))


def resnet_18() -> nn.Module:
    layers, wide = [conv(3, 64, 7, 2, act=nn.ReLU), nn.MaxPool2d(3, 2, 1)], 64
    for made, stride in ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)):
        layers.append(Residual(wide, made, stride))
        wide = made
    return _drawn(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000)))


def _drawn(module: nn.Module) -> nn.Module:
    """Set the batch norms' statistics from data, as training does. Otherwise the common part of all images hides the
    differences between them, layer by layer."""
    for each in module.modules():
        if isinstance(each, nn.BatchNorm2d):
            each.momentum = None
    with torch.no_grad():
        module.train()(torch.from_numpy(_images()["image"][:16]))
    return module.eval()


class Layer(nn.Module):
    """A layer of BERT (arXiv 1810.04805)."""

    def __init__(self, hidden: int, heads: int, wide: int) -> None:
        super().__init__()
        self.heads = heads
        for name in "qkvo":
            setattr(self, name, nn.Linear(hidden, hidden))
        self.norm1, self.norm2 = nn.LayerNorm(hidden, 1e-12), nn.LayerNorm(hidden, 1e-12)
        self.first, self.second = nn.Linear(hidden, wide), nn.Linear(wide, hidden)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        batch, length, hidden = x.shape

        def split(y: Tensor) -> Tensor:
            return y.view(batch, length, self.heads, hidden // self.heads).transpose(1, 2)

        scores = split(self.q(x)) @ split(self.k(x)).transpose(-1, -2) / (hidden // self.heads) ** 0.5
        attended = (torch.softmax(scores + mask, -1) @ split(self.v(x))).transpose(1, 2).reshape(batch, length, hidden)
        x = self.norm1(x + self.o(attended))
        return self.norm2(x + self.second(nn.functional.gelu(self.first(x))))


class Encoder(nn.Module):
    """BERT without its heads: one vector per sequence, the mean over all tokens except padding."""

    def __init__(self, words: int = 25, hidden: int = 512, layers: int = 8, heads: int = 8, wide: int = 2048) -> None:
        super().__init__()
        self.words, self.places, self.kinds = (nn.Embedding(count, hidden) for count in (words, 512, 2))
        self.norm = nn.LayerNorm(hidden, 1e-12)
        self.layers = nn.ModuleList(Layer(hidden, heads, wide) for _ in range(layers))

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        x = self.norm(self.words(ids) + self.places(torch.arange(ids.shape[1])[None]) + self.kinds.weight[0])
        shut = (1 - mask[:, None, None, :].float()) * -3.4e38
        for layer in self.layers:
            x = layer(x, shut)
        weight = mask[..., None].float()
        return (x * weight).sum(1) / weight.sum(1)


_EMBEDDED = {"words": "word_embeddings", "places": "position_embeddings", "kinds": "token_type_embeddings"}
_LAYERED = {
    "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value", "o": "attention.output.dense",
    "norm1": "attention.output.LayerNorm", "first": "intermediate.dense", "second": "output.dense",
    "norm2": "output.LayerNorm",
}  # fmt: skip


def encoder(folder: Path) -> nn.Module:
    """The encoder with the trained weights of the package, which is downloaded to `folder`."""
    module = Encoder()
    stored = torch.load(_fetched(folder, "pytorch_model.bin"), map_location="cpu", weights_only=True)
    names = {f"{mine}.weight": f"embeddings.{theirs}.weight" for mine, theirs in _EMBEDDED.items()}
    for part in ("weight", "bias"):
        names[f"norm.{part}"] = f"embeddings.LayerNorm.{part}"
        for number in range(len(module.layers)):
            for mine, theirs in _LAYERED.items():
                names[f"layers.{number}.{mine}.{part}"] = f"encoder.layer.{number}.{theirs}.{part}"
    module.load_state_dict({mine: stored[f"bert.{theirs}"] for mine, theirs in names.items()})
    return module.eval()


def _fetched(folder: Path, name: str) -> Path:
    """A file from the package's wheel."""
    found = next(folder.rglob(name), None)
    if found is None:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), TRAINED]
        subprocess.run(command, check=True)
        with zipfile.ZipFile(next(folder.glob("antiberty*.whl"))) as wheel:
            (inside,) = (each for each in wheel.namelist() if each.endswith(name))
            found = Path(wheel.extract(inside, folder))
    return found


def sequences(vocabulary: Path) -> dict[str, Any]:
    """Mutants of an antibody's chain, 60 residues or more of each, as the package's tokenizer would give them."""
    words = vocabulary.read_text().split()
    random = np.random.default_rng(0)
    letters = [each for each in words if len(each) == 1]
    count = CALIBRATED + JUDGED
    ids, mask = (np.zeros((count, LENGTH), np.int64) for _ in range(2))
    for row in range(count):
        chain = list(CHAIN)
        for place in random.choice(len(chain), random.integers(2, 50), replace=False):
            chain[place] = letters[random.integers(len(letters))]
        chain = ["[CLS]", *chain[: random.integers(60, len(chain) + 1)], "[SEP]"]
        ids[row, : len(chain)] = [words.index(each) for each in chain]
        mask[row, : len(chain)] = 1
    return {"ids": ids, "mask": mask}


def module_of(folder: Path) -> nn.Module:
    """The module that a folder's float file was exported from."""
    torch.manual_seed(0)
    if folder.name == "encoder":
        return encoder(folder)
    if (program := folder / _PROGRAM).exists():
        return torch.export.load(program).module()
    return resnet_18() if folder.name == "resnet_18" else mobilenet_v2()


def prepare(folder: Path) -> None:
    """Write float.onnx, calibration.npz and evaluation.npz to a folder with the name of the model."""
    if (folder / "evaluation.npz").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    if folder.name in ("digits", "spoken"):
        samples = _example(folder)
    else:
        module = module_of(folder)
        samples = sequences(_fetched(folder, "vocab.txt")) if folder.name == "encoder" else _images()
        _export(module, {name: torch.tensor(each[:2]) for name, each in samples.items()}, folder / "float.onnx")
        samples = {
            "calibration": {name: each[:CALIBRATED] for name, each in samples.items()},
            "evaluation": {name: each[CALIBRATED:] for name, each in samples.items()},
        }
    for split, arrays in samples.items():
        np.savez(folder / f"{split}.npz", **arrays)


def _images() -> dict[str, Any]:
    """Patches of colour with some noise: a network that averages over pure noise cannot distinguish samples of it."""
    random, count = np.random.default_rng(0), CALIBRATED + 8
    patches = random.standard_normal((count, 3, SIDE // PATCH, SIDE // PATCH)).repeat(PATCH, 2).repeat(PATCH, 3)
    return {"image": (patches + 0.3 * random.standard_normal(patches.shape)).astype(np.float32)}


def _export(module: nn.Module, samples: dict[str, Tensor], path: Path) -> None:
    batch = torch.export.Dim("batch")
    torch.onnx.export(
        module,
        tuple(samples.values()),
        path,
        input_names=list(samples),
        output_names=["made"],
        dynamic_shapes=tuple({0: batch} for _ in samples),
        dynamo=True,
        external_data=False,
    )


def _example(folder: Path) -> dict[str, dict[str, Any]]:
    """An example's float student, trained, distilled and pruned as in the example, and its samples."""
    from ordering import project_in
    from ptq_terms import here

    from edgekit.builds.build import build
    from edgekit.data.split import Split
    from edgekit.progress import Silent
    from edgekit.training.modules import saved_module
    from edgekit.traits import Data

    project = project_in(folder / "project", folder.name)
    if about := Split(project, Data.EVALUATION).about:
        sys.exit(f"{folder.name}: {about}; name the folder of the recordings in FSDD")
    steps = tuple(each for each in project.steps if each["use"] not in ("quantize", "mixed-precision", "fuse"))
    floating = project.copy_with(steps=steps, budgets=project.budgets.copy_with(max_bytes=None))
    (built,) = build(floating, [here()], Silent()).targets
    (folder / "float.onnx").write_bytes((built.bundle / "model.onnx").read_bytes())
    samples = {
        name: dict(zip(floating.model.inputs, Split(floating, split).alike()[0], strict=True))
        for name, split in (("calibration", Data.CALIBRATION), ("evaluation", Data.EVALUATION))
    }
    exported = next(number for number, step in enumerate(built.steps) if step.name == "export")
    module = saved_module(floating, built.steps[exported - 1].artifact)
    first = tuple(torch.from_numpy(each[:1]) for each in samples["calibration"].values())
    torch.export.save(torch.export.export(module, first), folder / _PROGRAM)
    return samples
