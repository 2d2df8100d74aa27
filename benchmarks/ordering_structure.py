"""The structure of the failed pipeline: a ResNet-50 teacher and a small network, with random weights."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ordering_arms import FLOAT, INT8

from edgekit.execution.driver import Driver, StepRun
from edgekit.figures.ratios import ratio_of
from edgekit.host import this_host
from edgekit.planning.plan import walk_recipe
from edgekit.planning.recipe import recipe_from
from edgekit.progress import Silent
from edgekit.project.project import load_project
from edgekit.runners.native import NativeRunner
from edgekit.runners.runner import Job
from edgekit.target_files import find_target

TARGET = "x86-vnni"
SECONDS = 8.0
MODEL = '''"""ResNet-50 (He et al., arXiv 1512.03385, table 1) and a plain network that is to learn from it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def teacher() -> nn.Module:
    blocks = []
    inputs = 64
    for number, (width, count) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
        for index in range(count):
            blocks.append(Bottleneck(inputs, width, 2 if number and not index else 1))
            inputs = 4 * width
    stem = nn.Sequential(*convolution(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1))
    return nn.Sequential(stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000))


def student() -> nn.Module:
    widths = (32, 64, 128, 256, 512)
    layers = [convolution(inputs, outputs, 3, 2) for inputs, outputs in zip((3, *widths), widths)]
    more = [convolution(512, 512, 3, 1)]
    flat = [layer for each in (*layers, *more) for layer in each]
    return nn.Sequential(*flat, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000))


class Bottleneck(nn.Module):
    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        last = [nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width)]
        self.inner = nn.Sequential(*convolution(inputs, width, 1, 1), *convolution(width, width, 3, stride), *last)
        passes = inputs == 4 * width and stride == 1
        beside = [nn.Conv2d(inputs, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)]
        self.beside = nn.Identity() if passes else nn.Sequential(*beside)

    def forward(self, features: Tensor) -> Tensor:
        return F.relu(self.inner(features) + self.beside(features))


def convolution(inputs: int, outputs: int, size: int, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]


def images() -> list[tuple[Tensor, Tensor]]:
    random = torch.Generator().manual_seed(0)
    return [(torch.randn(3, 224, 224, generator=random), torch.tensor(number)) for number in range(8)]
'''
SETTINGS = """name = "structure"
targets = ["x86-vnni"]

[model]
teacher = "model:teacher"
student = "model:student"
teacher_weights = "teacher.safetensors"
student_weights = "student.safetensors"

[data]
train = "model:images"
calibration = "model:images"
evaluation = "model:images"
data_files = []
batch_size = 4
"""
LOADED = [{"use": "load", "role": "teacher"}]
PIPELINES: dict[str, list[dict[str, Any]]] = {
    # The student is loaded instead of distilled: its weights affect neither bytes nor time.
    "ResNet-50, INT4 weights, half of them zero (simulated)": [
        *LOADED,
        {"use": "quantize-weights", "role": "teacher", "bits": 4, "granularity": "tensor", "batch_norm": "kept"},
        {"use": "sparsify", "role": "teacher", "epochs": 0, "batch_norm": "kept"},
        {"use": "export", "role": "teacher"},
    ],
    "failed: a small network in floats": [{"use": "load"}, *FLOAT],
    "recommended: half of its channels, INT8": [{"use": "load"}, {"use": "prune", "ratio": 0.5, "epochs": 0}, *INT8],
}


def structure(folder: Path) -> dict[str, Any]:
    """Bytes and latency of the final files of both pipelines, printed and returned."""
    from safetensors.torch import save_file

    from edgekit.training.modules import untrained_module
    from edgekit.traits import Role

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.py").write_text(MODEL)
    for role in ("teacher", "student"):
        (folder / f"{role}.safetensors").touch()
    (folder / "edgekit.toml").write_text(SETTINGS)
    project = load_project(folder)
    for role in (Role.TEACHER, Role.STUDENT):
        save_file(untrained_module(project, role).state_dict(), folder / f"{role}.safetensors")
    driver, target = Driver(project, Silent()), find_target(TARGET)
    files = {}
    for name, steps in PIPELINES.items():
        runs: list[StepRun] = []
        plan = walk_recipe(recipe_from(name, steps, name), project.roles, project.entry_facts)
        for planned in plan.steps:
            runs.append(driver.step_run(target, planned, runs, len(plan.steps)))
        files[name] = runs[-1].artifact.path
    images = np.random.default_rng(0).standard_normal((2, 1, 3, 224, 224)).astype(np.float32)
    timed = NativeRunner().run(Job(list(files.values()), (images,), seconds=SECONDS, timeout_s=600))
    return _told(files, timed.latencies_ms)


def _told(files: dict[str, Path], latencies: Sequence[Sequence[float]]) -> dict[str, Any]:
    print(f"\n## A ResNet-50's graph, random weights, {this_host().cpu_name}, one thread, batch 1\n")
    print("| the file of | bytes (static) | time / the first's (native) |\n|---|---|---|")
    rows = {}
    for (name, path), times in zip(files.items(), latencies, strict=True):
        ratio = ratio_of(times, latencies[0])
        size = path.stat().st_size
        rows[name] = {"bytes": size, "p50_ms": float(np.median(times)), "ratio": vars(ratio)}
        print(f"| {name} | {size:,} | {ratio} |")
    return {"host": this_host().cpu_name, "target": TARGET, "fidelity": "native", "weights": "random", "files": rows}
