"""Count networks under XNNPACK whose latencies on a Raspberry Pi 5 Arm publishes: python benchmarks/latency_xnnpack.py

The networks are torchvision's (make .venv/vision) with random weights, in INT8 by edgekit, written as .tflite. Counts
do not depend on the weights. They are written to data/pi/xnnpack_pi5.csv beside the published latency, for
benchmarks/latency_model.py; about ten minutes on one core. The published figures are of ExecuTorch, whose XNNPACK is of
another version than LiteRT's, and most cards do not state the number of threads: four are inferred from the rates.
"""

import csv
import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch

import edgekit
from edgekit.latency.terms import figures_of
from edgekit.progress import Silent
from edgekit.runners.emulator import prepare
from edgekit.runners.qemu import QemuRunner
from edgekit.runners.runner import Job
from edgekit.runtimes.forms import form_for
from edgekit.target import Target
from edgekit.target_files import find_target

WRITTEN = Path(__file__).parent / "data" / "pi" / "xnnpack_pi5.csv"
TARGET = "rpi5"
RUNTIME = "ai-edge-litert"
CARDS = "huggingface.co/Arm"
PUBLISHED = {
    "mobilenet_v2": (3.98, "learn.arm.com/courses/executorch-on-arm"),
    "shufflenet_v2_x1_0": (3.63, f"{CARDS}/shufflenet-v2-x1-0-int8-xnnpack-executorch"),
    "resnet18": (8.751, f"{CARDS}/resnet-18-int8-xnnpack-executorch"),
    "resnet50": (20.64, f"{CARDS}/resnet-50-int8-xnnpack-executorch"),
    "wide_resnet50_2": (49.43, f"{CARDS}/wideresnet50-int8-xnnpack-executorch-raspberrypi5"),
}
"""The median latency in milliseconds and its source, of INT8 networks for images of 224 pixels."""
THREADS = 4


def main() -> None:
    known = find_target(TARGET)
    target = known.on(next(each for each in known.runtimes if each.name == RUNTIME))
    rows = []
    for name, (milliseconds, source) in PUBLISHED.items():
        with tempfile.TemporaryDirectory() as folder:
            counted = count(name, target, Path(folder))
        about = {"network": name, "threads": THREADS, "ms": milliseconds, "source": source, "counted": target.runtime}
        rows.append({**about, **counted})
        print(name, milliseconds, counted, flush=True)
    with WRITTEN.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def count(name: str, target: Target, folder: Path) -> dict[str, int]:
    """What one run of a network counts under the target's emulator, as the prices take it."""
    from torchvision import models

    torch.manual_seed(0)
    module = getattr(models, name)(weights=None).eval()
    whole, integers = folder / "float.onnx", folder / "int8.onnx"
    image = torch.randn(1, 3, 224, 224)
    torch.onnx.export(module, (image,), str(whole), dynamo=True, external_data=False, verbose=False)
    onnx.checker.check_model(str(whole))
    np.save(folder / "images.npy", np.random.default_rng(0).standard_normal((8, 3, 224, 224)).astype(np.float32))
    edgekit.quantize(whole, folder / "images.npy", target=TARGET, output=integers)
    written = form_for(integers, target.runtime, folder, target.arch)
    result = QemuRunner(target, prepare(target, Silent())).run(Job([written], (image.numpy()[None],), counted=True))
    return {term: round(value) for term, value in figures_of(result.counts[0]).items()}


if __name__ == "__main__":
    main()
